// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

/// An upgradeable contract that upgrades itself (UUPS, ERC-1822).
contract Box is OwnableUpgradeable, UUPSUpgradeable {
    event Stored(address indexed who, uint256 value);

    error TooSmall(uint256 value, uint256 least);

    uint256 public value;

    /// @custom:oz-upgrades-unsafe-allow constructor
    constructor() {
        _disableInitializers();
    }

    function initialize(address owner, uint256 first) external initializer {
        __Ownable_init(owner);
        value = first;
    }

    function store(uint256 next) external {
        if (next < value) revert TooSmall(next, value);
        value = next;
        emit Stored(msg.sender, next);
    }

    function version() external pure virtual returns (string memory) {
        return "1";
    }

    function _authorizeUpgrade(address) internal override onlyOwner {}
}

/// Its next version keeps the state and counts.
/// @custom:oz-upgrades-unsafe-allow missing-initializer
contract BoxV2 is Box {
    uint256 public times;

    function increment() external {
        times++;
        value++;
        emit Stored(msg.sender, value);
    }

    function version() external pure override returns (string memory) {
        return "2";
    }
}

/// What must not become its next version: the storage has another layout.
/// @custom:oz-upgrades-unsafe-allow missing-initializer
contract BoxBroken is OwnableUpgradeable, UUPSUpgradeable {
    address public value;

    function _authorizeUpgrade(address) internal override onlyOwner {}
}
