// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Garden} from "../contracts/Garden.sol";

interface Vm {
    function envAddress(string calldata name) external view returns (address);
    function envUint(string calldata name) external view returns (uint256);
    function createSelectFork(string calldata url, uint256 height) external returns (uint256);
    function rollFork(uint256 height) external;
    function prank(address sender) external;
}

/// Runs against a copy of the network's state at a height, in the test's own EVM.
contract ForkTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bool public constant IS_TEST = true;

    Garden private garden = Garden(vm.envAddress("GARDEN"));
    address private owner = vm.envAddress("OWNER");

    function test_TransferOnAFork() external {
        vm.createSelectFork("coco", vm.envUint("HEIGHT"));
        uint256 had = garden.balanceOf(address(this));
        vm.prank(owner);
        garden.transfer(address(this), 3);
        require(garden.balanceOf(address(this)) == had + 3, "not transferred");
    }

    function test_StateAtAnOlderBlock() external {
        vm.createSelectFork("coco", vm.envUint("HEIGHT"));
        uint256 now_ = garden.balanceOf(address(0xbeef));
        vm.rollFork(vm.envUint("HEIGHT") - 1);
        require(garden.balanceOf(address(0xbeef)) != now_, "the block before knows the transfer");
    }
}
