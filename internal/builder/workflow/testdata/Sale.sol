// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.5.0 <0.9.0;

contract Sale {
    enum StateType { Offered, Bid, BothAgree, Sold, Withdrawn }

    address public InstanceSeller;
    address public InstanceBuyer;
    address public InstanceNotary;
    string public Thing;
    int public AskingPrice;
    uint256 public OfferPrice;
    bool private sellerAgrees;
    StateType public State;

    constructor(string memory thing, int price, address notary) public {
        InstanceSeller = msg.sender;
        InstanceNotary = notary;
        Thing = thing;
        AskingPrice = price;
    }

    function MakeOffer(uint256 offer) public {
        require(State == StateType.Offered, "there is an offer");
        InstanceBuyer = msg.sender;
        OfferPrice = offer;
        State = StateType.Bid;
    }

    function Accept() public {
        require(State == StateType.Bid || State == StateType.BothAgree, "nothing to accept");
        if (State == StateType.Bid) {
            require(msg.sender == InstanceSeller || msg.sender == InstanceNotary, "not yours");
            State = StateType.BothAgree;
        } else {
            State = StateType.Sold;
        }
    }

    function Withdraw() public {
        require(msg.sender == InstanceSeller, "not yours");
        State = StateType.Withdrawn;
    }
}
