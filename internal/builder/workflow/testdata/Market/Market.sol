// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.5.0 <0.9.0;

import "./Stall.sol";

contract Market {
    enum StateType { Open, Settling }

    StateType public State;
    address public Keeper;
    Stall public LastStall;
    int public Balance;

    constructor(int balance) public {
        Keeper = msg.sender;
        Balance = balance;
    }

    function Rent(string memory goods, int price) public {
        LastStall = new Stall(goods, price, msg.sender);
    }

    function Settle(int amount) public {
        Balance += amount;
        State = StateType.Settling;
    }

    function Reopen() public {
        State = StateType.Open;
    }
}
