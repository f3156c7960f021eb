// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {Box, BoxV2} from "../contracts/Box.sol";
import {Deeds} from "../contracts/Deeds.sol";
import {Garden} from "../contracts/Garden.sol";

/// What a script uses of the program that runs it. Most projects take it from
/// the library forge-std.
interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
}

/// Deploys a token, a register of deeds and an upgradeable box, the token at an
/// address that its salt determines, and uses all three.
contract Deploy {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bool public constant IS_SCRIPT = true;

    function run(bytes32 salt) external returns (Garden garden, Deeds deeds, BoxV2 box) {
        vm.startBroadcast();
        garden = new Garden{salt: salt}(msg.sender, 1000);
        garden.transfer(address(0xbeef), 10);

        deeds = new Deeds();
        deeds.register(msg.sender, "ipfs://meadow");

        Box first = new Box();
        box = BoxV2(address(new ERC1967Proxy(address(first), abi.encodeCall(Box.initialize, (msg.sender, 7)))));
        box.store(8);
        box.upgradeToAndCall(address(new BoxV2()), "");
        box.increment();
        vm.stopBroadcast();
    }
}
