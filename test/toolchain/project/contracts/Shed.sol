// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Initializable} from "@openzeppelin/contracts/proxy/utils/Initializable.sol";

/// An upgradeable contract whose proxy's administrator upgrades it.
contract Shed is Initializable {
    uint256 public tools;

    function initialize(uint256 first) external initializer {
        tools = first;
    }
}

/// Its next version.
/// @custom:oz-upgrades-unsafe-allow missing-initializer
contract ShedV2 is Shed {
    function double() external reinitializer(2) {
        tools *= 2;
    }
}
