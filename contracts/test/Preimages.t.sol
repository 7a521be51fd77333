// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Test} from "./Vm.sol";
import "../src/oracle/Errors.sol";
import {PreimageKey} from "../src/oracle/PreimageKey.sol";
import {PreimageOracle} from "../src/oracle/PreimageOracle.sol";

/// Loading pre-images and reading them as a virtual machine does.
contract PreimagesTest is Test {
    bytes32 internal constant CONTEXT = keccak256("context");
    /// The generator of G1: commitment to the polynomial that is 1 everywhere. Its proof at any
    /// point is the point at infinity.
    bytes internal constant GENERATOR =
        hex"97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb";
    bytes internal constant INFINITY =
        hex"c00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";

    PreimageOracle internal oracle =
        PreimageOracle(deploy("PreimageOracle.sol:PreimageOracle", abi.encode(126_000, 1 days)));

    function testFuzz_everyPartOfAKeccakPreimage(bytes calldata image, uint256 offset) external {
        bytes32 key = PreimageKey.typed(keccak256(image), PreimageKey.KECCAK256);
        offset %= image.length + 8;
        oracle.loadKeccak256PreimagePart(offset, image);
        check(key, image, offset);
    }

    function testFuzz_everyPartOfASha256Preimage(bytes calldata image, uint256 offset) external {
        bytes32 key = PreimageKey.typed(sha256(image), PreimageKey.SHA256);
        offset %= image.length + 8;
        oracle.loadSha256PreimagePart(offset, image);
        check(key, image, offset);
    }

    function testFuzz_everyPartOfLocalData(bytes32 word, uint256 size, uint256 offset) external {
        size %= 33;
        offset %= size + 8;
        bytes32 key = oracle.loadLocalData(3, CONTEXT, word, size, offset);
        bytes memory image = abi.encode(word);
        assembly ("memory-safe") {
            mstore(image, size)
        }
        check(key, image, offset);
    }

    function test_localDataIsTheCallersAndTheContexts() external {
        bytes32 mine = oracle.loadLocalData(1, CONTEXT, "word", 32, 0);
        vm.prank(address(1));
        bytes32 other = oracle.loadLocalData(1, CONTEXT, "word", 32, 0);
        assertTrue(mine != other, "caller");
        assertTrue(mine != oracle.loadLocalData(1, "another", "word", 32, 0), "context");
        assertTrue(mine != oracle.loadLocalData(2, CONTEXT, "word", 32, 0), "ident");
        // What keccak(key, caller, context) is, independently.
        bytes32 hash = keccak256(abi.encode(uint256(1) << 248 | 1, address(this), CONTEXT));
        assertEq(mine, bytes32(uint256(hash) << 8 >> 8 | 1 << 248));
    }

    function test_nothingIsReadThatWasNotLoaded() external {
        bytes memory image = "twelve bytes";
        bytes32 key = PreimageKey.typed(keccak256(image), PreimageKey.KECCAK256);
        vm.expectRevert(PreimageMissing.selector);
        oracle.readPreimage(key, 0);
        oracle.loadKeccak256PreimagePart(4, image);
        vm.expectRevert(PreimageMissing.selector);
        oracle.readPreimage(key, 0);
        vm.expectRevert(PreimageMissing.selector);
        oracle.readPreimage(key ^ bytes32(uint256(1)), 4);
    }

    function test_partsBehindTheEndAreRefused() external {
        bytes memory image = "twelve bytes";
        uint256[4] memory offsets = [uint256(20), 21, 1 << 255, type(uint256).max];
        for (uint256 n = 0; n < offsets.length; n++) {
            vm.expectRevert(PartOffsetOOB.selector);
            oracle.loadKeccak256PreimagePart(offsets[n], image);
            vm.expectRevert(PartOffsetOOB.selector);
            oracle.loadSha256PreimagePart(offsets[n], image);
            vm.expectRevert(PartOffsetOOB.selector);
            oracle.loadLocalData(1, CONTEXT, "twelve bytes", 12, offsets[n]);
        }
        vm.expectRevert(PartOffsetOOB.selector);
        oracle.loadLocalData(1, CONTEXT, "word", 33, 0);
        oracle.loadKeccak256PreimagePart(19, image);
    }

    function testFuzz_anElementOfABlob(uint256 z, uint256 offset) external {
        z >>= 8;
        offset %= 40;
        oracle.loadBlobPreimagePart(z, 1, GENERATOR, INFINITY, offset);
        bytes32 key = PreimageKey.typed(keccak256(bytes.concat(GENERATOR, bytes32(z))), PreimageKey.BLOB);
        check(key, abi.encode(1), offset);
    }

    function test_aWrongElementOfABlobIsRefused() external {
        vm.expectRevert(InvalidProof.selector);
        oracle.loadBlobPreimagePart{gas: 1_000_000}(5, 2, GENERATOR, INFINITY, 0);
        vm.expectRevert(InvalidProof.selector);
        oracle.loadBlobPreimagePart{gas: 1_000_000}(5, 1, INFINITY, INFINITY, 0);
        vm.expectRevert(InvalidProof.selector);
        oracle.loadBlobPreimagePart{gas: 1_000_000}(5, 1, GENERATOR, "short", 0);
        vm.expectRevert(PartOffsetOOB.selector);
        oracle.loadBlobPreimagePart{gas: 1_000_000}(5, 1, GENERATOR, INFINITY, 40);
    }

    function test_aResultOfAPrecompile() external {
        bytes memory input = "some input";
        uint64 gas_ = 3_000;
        bytes32 hash = keccak256(abi.encodePacked(address(2), gas_, input));
        bytes memory result = bytes.concat(hex"01", sha256(input));
        for (uint256 offset = 0; offset < 41; offset += 5) {
            oracle.loadPrecompilePreimagePart(offset, address(2), gas_, input);
            check(PreimageKey.typed(hash, PreimageKey.PRECOMPILE), result, offset);
        }
        vm.expectRevert(PartOffsetOOB.selector);
        oracle.loadPrecompilePreimagePart(41, address(2), gas_, input);
    }

    function test_aPrecompileThatFails() external {
        // Addition on a curve, of a point that is not on it.
        bytes memory input = abi.encode(1, 1, 1, 1);
        bytes32 hash = keccak256(abi.encodePacked(address(6), uint64(500), input));
        oracle.loadPrecompilePreimagePart(0, address(6), 500, input);
        check(PreimageKey.typed(hash, PreimageKey.PRECOMPILE), hex"00", 0);
    }

    function test_aPrecompileGetsTheGasOfItsKey() external {
        vm.expectRevert(NotEnoughGas.selector);
        oracle.loadPrecompilePreimagePart{gas: 1_000_000}(0, address(2), 1_000_000, "input");
        vm.expectRevert(NotEnoughGas.selector);
        oracle.loadPrecompilePreimagePart(0, address(2), type(uint64).max, "input");
    }

    /// What should be read: the pre-image behind its length, cut and filled with zeros.
    function check(bytes32 key, bytes memory image, uint256 offset) internal view {
        bytes memory whole = bytes.concat(bytes8(uint64(image.length)), image);
        (bytes32 part, uint256 length) = oracle.readPreimage(key, offset);
        assertEq(length, whole.length - offset < 32 ? whole.length - offset : 32);
        for (uint256 n = 0; n < 32; n++) {
            bytes1 wanted = offset + n < whole.length ? whole[offset + n] : bytes1(0);
            assertTrue(part[n] == wanted, "part");
        }
    }
}
