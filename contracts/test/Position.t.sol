// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Test} from "./Vm.sol";
import {Bonds} from "../src/dispute/Bonds.sol";
import {ClaimAboveSplit} from "../src/dispute/Errors.sol";
import {Position} from "../src/dispute/Position.sol";

contract PositionTest is Test {
    function testFuzz_depthAndIndexMakeThePosition(uint128 raw) external pure {
        vm.assume(raw != 0);
        Position position = Position.wrap(raw);
        assertEq((uint256(1) << position.depth()) + position.indexAtDepth(), raw);
        assertTrue(position.indexAtDepth() < uint256(1) << position.depth(), "index");
    }

    function testFuzz_movesGoWhereTheyShould(uint128 raw) external pure {
        raw = raw >> 2 | 1;
        assertEq(Position.wrap(raw).move(true).raw(), uint256(raw) * 2);
        assertEq(Position.wrap(raw).move(false).raw(), uint256(raw | 1) * 2);
        assertEq(Position.wrap(raw).move(true).parent().raw(), raw);
    }

    /// The ancestor commits to the same leaf, and its parent does not.
    function testFuzz_traceAncestor(uint64 raw) external pure {
        vm.assume(raw > 1);
        Position position = Position.wrap(raw);
        Position ancestor = position.traceAncestor();
        assertEq(ancestor.traceIndex(64), position.traceIndex(64));
        if (ancestor.raw() != 1) {
            assertTrue(ancestor.parent().traceIndex(64) != position.traceIndex(64), "higher");
        }
    }

    function testFuzz_boundedAncestorStaysBelow(uint64 raw, uint8 bound) external {
        vm.assume(raw > 1);
        Position position = Position.wrap(raw);
        if (position.depth() <= bound) {
            vm.expectRevert(ClaimAboveSplit.selector);
            this.bounded(position, bound);
            return;
        }
        Position ancestor = position.traceAncestorBounded(bound);
        assertTrue(ancestor.depth() > bound, "above");
        assertEq(ancestor.traceIndex(64), position.traceIndex(64));
    }

    function bounded(Position position, uint256 bound) external pure returns (Position) {
        return position.traceAncestorBounded(bound);
    }

    function test_bondsAreThoseOfTheReference() external pure {
        uint256 base = Bonds.growth(73);
        uint256[7] memory depths = [uint256(0), 1, 30, 31, 60, 72, 73];
        // 400,000 * 750^(depth / 73), rounded down; at the last depth one less.
        uint256[7] memory gas = [uint256(400_000), 437_970, 6_075_639, 6_652_370, 92_283_497, 273_991_351, 299_999_999];
        for (uint256 n = 0; n < depths.length; n++) {
            assertEq(Bonds.required(base, depths[n]), gas[n] * 200 gwei);
        }
        uint256 sum = 0;
        for (uint256 depth = 0; depth < 73; depth++) {
            sum += Bonds.required(base, depth);
        }
        assertEq(sum, 3_156_173_471 * 200 gwei);
    }

    function testFuzz_bondsGrow(uint256 maxDepth) external pure {
        maxDepth = 4 + maxDepth % 122;
        uint256 base = Bonds.growth(maxDepth);
        for (uint256 depth = 1; depth <= maxDepth; depth++) {
            assertTrue(Bonds.required(base, depth) > Bonds.required(base, depth - 1), "smaller");
        }
        assertEq(Bonds.required(base, 0), 0.08 ether);
        assertEq(Bonds.required(base, maxDepth), 60 ether - 200 gwei);
    }
}
