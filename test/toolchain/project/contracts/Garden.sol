// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// A token as the wizard of OpenZeppelin writes it.
contract Garden is ERC20, ERC20Permit, Ownable {
    constructor(address owner, uint256 supply) ERC20("Garden", "GDN") ERC20Permit("Garden") Ownable(owner) {
        _mint(owner, supply);
    }

    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }
}
