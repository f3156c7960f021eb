// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// Writes what it is given everywhere a contract can write: storage, a mapping,
/// an event's topic, an event's data. The confidentiality test then looks for it
/// on the disk.
contract Diary {
    bytes32 public word;
    bytes public text;
    mapping(address => bytes32) public pages;

    event Written(bytes32 indexed word, address indexed reader, bytes text);

    function write(bytes32 word_, address reader, bytes calldata text_) external {
        word = word_;
        text = text_;
        pages[reader] = word_;
        emit Written(word_, reader, text_);
    }
}
