// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// What a claim costs: 200 gwei for each of 400,000 * 750^(depth / max depth) gas, rounded down.
///
/// The curve is the reference's (`getRequiredBond`). It is computed there from logarithm and
/// exponential with 18 decimals; here from the root of 750, found once, with 112 binary digits.
/// Both are less than one gas below the true value, so at the last depth both are one gas short of
/// 300 million.
library Bonds {
    uint256 internal constant ASSUMED_BASE_FEE = 200 gwei;
    uint256 internal constant BASE_GAS = 400_000;
    uint256 internal constant HIGH_GAS = 300_000_000;

    uint256 private constant FRACTION = 112;
    uint256 private constant ONE = 1 << FRACTION;
    uint256 private constant RATIO = HIGH_GAS / BASE_GAS * ONE;

    /// By what a bond grows from one depth to the next, in units of 2^-112: the greatest number
    /// whose power is not above 750.
    function growth(uint256 maxDepth) internal pure returns (uint256 base) {
        base = ONE;
        for (uint256 bit = ONE << 9; bit != 0; bit >>= 1) {
            if (power(base + bit, maxDepth) <= RATIO) base += bit;
        }
    }

    /// The bond at a depth.
    function required(uint256 base, uint256 depth) internal pure returns (uint256) {
        return ASSUMED_BASE_FEE * (BASE_GAS * power(base, depth) >> FRACTION);
    }

    /// A power, rounded down, or any number above 750 if it is above.
    function power(uint256 base, uint256 exponent) private pure returns (uint256 result) {
        unchecked {
            // Everything stays below 2^123 before it is multiplied.
            result = ONE;
            for (uint256 bit = 64; bit != 0; bit >>= 1) {
                result = result * result >> FRACTION;
                if (result > RATIO) return result;
                if (exponent & bit != 0) result = result * base >> FRACTION;
                if (result > RATIO) return result;
            }
        }
    }
}
