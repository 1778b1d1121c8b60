// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Checkpoints of append-only logs (RFC 6962), for Suyuan's ledger "evm".
/// @notice One contract serves any number of logs. For each it holds checkpoints of growing size, and takes a new one only with the
/// proof that it extends the last; whoever commits first to a log owns it. There is no administrator and no way to change or remove.
/// It does not check the log's signature in the note: whoever reads the event does.
contract Checkpoints {
    struct Checkpoint {
        bytes32 root;
        uint64 number; // of the block that holds its event
        uint64 previous; // the size before, 0 for the first
    }

    struct Log {
        address owner;
        uint64 size; // of the newest checkpoint, 0 for none
    }

    mapping(bytes32 => Log) private logs; // by keccak256(origin)
    mapping(bytes32 => mapping(uint64 => Checkpoint)) private held;

    /// @notice A checkpoint was taken. The note is the signed checkpoint itself.
    event Committed(string indexed origin, uint64 indexed size, address indexed submitter, bytes32 root, uint64 previous, bytes note);

    error Malformed();
    error NotOwner(address owner);
    error AnotherRoot(bytes32 root);
    error LargerHeld(uint64 size);
    error Inconsistent(uint64 size); // with the newest checkpoint, which has this size

    /// @notice Takes a checkpoint. One that is held already, with the same root, changes nothing and is no error.
    /// @param consistency the RFC 6962 consistency proof from the newest size held; empty for the first checkpoint.
    function commit(string calldata origin, uint64 size, bytes32 root, bytes32[] calldata consistency, bytes calldata note) external {
        if (bytes(origin).length == 0 || bytes(origin).length > 255 || size == 0 || size >= 2 ** 53 || note.length > 8192) revert Malformed();
        bytes32 id = keccak256(bytes(origin));
        Log memory log = logs[id];
        if (log.size != 0 && log.owner != msg.sender) revert NotOwner(log.owner);
        Checkpoint storage known = held[id][size];
        if (known.number != 0) {
            if (known.root != root) revert AnotherRoot(known.root);
            return;
        }
        if (size < log.size) revert LargerHeld(log.size);
        if (log.size == 0 ? consistency.length != 0 : !extends(log.size, held[id][log.size].root, size, root, consistency))
            revert Inconsistent(log.size);
        held[id][size] = Checkpoint(root, uint64(block.number), log.size);
        logs[id] = Log(msg.sender, size);
        emit Committed(origin, size, msg.sender, root, log.size, note);
    }

    /// @notice The newest checkpoint of a log: size 0 if there is none.
    function latest(string calldata origin) external view returns (uint64 size, address owner) {
        Log memory log = logs[keccak256(bytes(origin))];
        return (log.size, log.owner);
    }

    /// @notice The checkpoint of a size: number is 0 if there is none, else that of the block whose event has the note.
    function get(string calldata origin, uint64 size) external view returns (bytes32 root, uint64 number, uint64 previous) {
        Checkpoint memory c = held[keccak256(bytes(origin))][size];
        return (c.root, c.number, c.previous);
    }

    /// @dev Verifies a consistency proof by the algorithm of RFC 9162, section 2.1.4.2; 0 < first < second.
    function extends(uint64 first, bytes32 firstRoot, uint64 second, bytes32 secondRoot, bytes32[] calldata path)
        private pure returns (bool)
    {
        uint64 fn = first - 1;
        uint64 sn = second - 1;
        while (fn & 1 == 1) (fn, sn) = (fn >> 1, sn >> 1);
        bool whole = first & (first - 1) == 0; // then the first tree's root is the first hash of the path, which leaves it out
        if (!whole && path.length == 0) return false;
        bytes32 fr = whole ? firstRoot : path[0];
        bytes32 sr = fr;
        for (uint256 i = whole ? 0 : 1; i < path.length; i++) {
            if (sn == 0) return false;
            if (fn & 1 == 1 || fn == sn) {
                fr = node(path[i], fr);
                sr = node(path[i], sr);
                while (fn & 1 == 0 && fn != 0) (fn, sn) = (fn >> 1, sn >> 1);
            } else {
                sr = node(sr, path[i]);
            }
            (fn, sn) = (fn >> 1, sn >> 1);
        }
        return sn == 0 && fr == firstRoot && sr == secondRoot;
    }

    function node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x01), left, right));
    }
}
