// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721URIStorage} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721URIStorage.sol";

/// Deeds of land, each with a document.
contract Deeds is ERC721URIStorage {
    uint256 public count;

    constructor() ERC721("Deeds", "DEED") {}

    function register(address owner, string calldata document) external returns (uint256 id) {
        id = ++count;
        _safeMint(owner, id);
        _setTokenURI(id, document);
    }
}
