// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.5.0 <0.9.0;

import "./Market.sol";

contract Stall {
    enum StateType { Selling, SoldOut }

    StateType public State;
    address public Seller;
    address public ParentMarket;
    string public Goods;
    int public Price;

    constructor(string memory goods, int price, address seller) public {
        Goods = goods;
        Price = price;
        Seller = seller;
        ParentMarket = msg.sender;
    }

    function Buy() public {
        Market(ParentMarket).Settle(Price);
        State = StateType.SoldOut;
    }
}
