// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// The toy machine of scripts, by the rules in `dispute/src/sim/toy.rs`: a program that
/// checks whether one output root follows from another. It lets a script of a random game
/// be played on a dispute game contract.
contract ToyVm {
    bytes32 immutable startingRoot;
    uint64 immutable startingBlock;
    uint64 immutable claimedBlock;
    uint64 immutable safeHead;
    uint8 immutable splitDepth;
    uint64 immutable length;

    /// The oracle, which the game asks for its challenge period and gives local data to.
    address public immutable oracle;

    constructor(
        bytes32 startingRoot_,
        uint64 startingBlock_,
        uint64 claimedBlock_,
        uint64 safeHead_,
        uint8 splitDepth_,
        uint64 length_,
        address oracle_
    ) {
        startingRoot = startingRoot_;
        startingBlock = startingBlock_;
        claimedBlock = claimedBlock_;
        safeHead = safeHead_;
        splitDepth = splitDepth_;
        length = length_;
        oracle = oracle_;
    }

    function step(bytes calldata stateData, bytes calldata proof, bytes32 localContext)
        external
        view
        returns (bytes32)
    {
        require(stateData.length == 64, "the state is not two words");
        (uint256 counter, bytes32 accumulator) = abi.decode(stateData, (uint256, bytes32));
        require(counter <= type(uint64).max, "the state is not two words");
        if (counter == 0) {
            require(keccak256(proof) == localContext, "the proof is not the local context's");
            accumulator = withLast(localContext, verdict(proof));
            counter = 1;
        } else if (counter < length) {
            uint8 last = uint8(accumulator[31]);
            accumulator = withLast(keccak256(abi.encode(accumulator, counter)), last);
            counter += 1;
        }
        uint256 status = counter < length ? 3 : uint8(accumulator[31]);
        uint256 hash = uint256(keccak256(abi.encode(counter, accumulator)));
        return bytes32((hash << 8 >> 8) | (status << 248));
    }

    function withLast(bytes32 word, uint8 last) internal pure returns (bytes32) {
        return bytes32((uint256(word) & ~uint256(0xff)) | last);
    }

    function verdict(bytes calldata context) internal view returns (uint8) {
        bytes32 starting = startingRoot;
        uint256 from = startingBlock < safeHead ? startingBlock : safeHead;
        bytes32 disputed;
        uint128 position;
        if (context.length == 64) {
            (disputed, position) = abi.decode(context, (bytes32, uint128));
        } else {
            require(context.length == 128, "no such local context");
            uint128 startingPosition;
            (starting, startingPosition, disputed, position) =
                abi.decode(context, (bytes32, uint128, bytes32, uint128));
            from = blockAt(startingPosition);
        }
        uint256 number = blockAt(position);
        bytes32 right = number == from ? starting : outputAfter(starting, number);
        if (disputed == right) return 0;
        return 1 + (uint8(disputed[31]) & 1);
    }

    /// The block of a position: by the index of the rightmost node below it at the split.
    function blockAt(uint128 position) internal view returns (uint256 number) {
        uint256 depth = 0;
        while (position >> (depth + 1) != 0) depth++;
        uint256 down = splitDepth - depth;
        uint256 index = ((uint256(position) + 1) << down) - 1 - (uint256(1) << splitDepth);
        number = uint256(startingBlock) + index + 1;
        if (number > claimedBlock) number = claimedBlock;
        if (number > safeHead) number = safeHead;
    }

    function outputAfter(bytes32 before, uint256 number) internal pure returns (bytes32) {
        bytes memory header = abi.encodePacked(hex"d1808080808080808088", uint64(number));
        bytes32 stateRoot = keccak256(abi.encode(before, number));
        return keccak256(abi.encode(bytes32(0), stateRoot, bytes32(0), keccak256(header)));
    }
}
