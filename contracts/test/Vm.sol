// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// The cheat codes of forge that the tests use.
interface Vm {
    function warp(uint256 time) external;
    function roll(uint256 number) external;
    function deal(address who, uint256 balance) external;
    function prank(address sender) external;
    function prank(address sender, address origin) external;
    function startPrank(address sender, address origin) external;
    function stopPrank() external;
    function expectRevert() external;
    function expectRevert(bytes4 selector) external;
    function expectRevert(bytes calldata data) external;
    function expectEmit(bool topic1, bool topic2, bool topic3, bool data) external;
    function assume(bool condition) external pure;
    function etch(address where, bytes calldata code) external;
    function mockCall(address where, bytes calldata data, bytes calldata returned) external;
    function mockCallRevert(address where, bytes calldata data, bytes calldata returned) external;
    function getCode(string calldata artifact) external view returns (bytes memory);
}

/// What every test has.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// The optimiser takes `block.timestamp` for a constant of the call, so tests keep their own.
    uint256 internal time = 1_000_000;

    error Differs(uint256 found, uint256 wanted);
    error Untrue(string what);

    /// Deploys a contract from its artifact. With `new`, the compiler would build it once more into
    /// every test.
    function deploy(string memory artifact, bytes memory arguments) internal returns (address made) {
        bytes memory code = bytes.concat(vm.getCode(artifact), arguments);
        assembly ("memory-safe") {
            made := create(0, add(code, 32), mload(code))
        }
        assertTrue(made != address(0), artifact);
    }

    /// Moves the clock on.
    function pass(uint256 seconds_) internal {
        time += seconds_;
        vm.warp(time);
    }

    function assertEq(uint256 found, uint256 wanted) internal pure {
        if (found != wanted) revert Differs(found, wanted);
    }

    function assertEq(bytes32 found, bytes32 wanted) internal pure {
        if (found != wanted) revert Differs(uint256(found), uint256(wanted));
    }

    function assertEq(address found, address wanted) internal pure {
        if (found != wanted) revert Differs(uint160(found), uint160(wanted));
    }

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert Untrue(what);
    }
}
