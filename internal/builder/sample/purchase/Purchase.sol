// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// A used machine changes hands: the seller offers it, a buyer makes an offer
/// and names an inspector, and both agree, or one of them leaves.
contract Purchase {
    enum StateType { Offered, OfferMade, Agreed, Inspected, Completed, Withdrawn }
    enum ConditionType { New, Refurbished, Used }

    StateType public State;
    address public Seller;
    address public Buyer;
    address public Inspector;
    string public Machine;
    ConditionType public Condition;
    uint256 public AskingPrice;
    uint256 public OfferPrice;
    uint256 public InspectedAt;
    bool public Defects;
    string public Report;

    constructor(string memory machine, ConditionType condition, uint256 askingPrice) {
        require(bytes(machine).length > 0, "the machine needs a description");
        Seller = msg.sender;
        Machine = machine;
        Condition = condition;
        AskingPrice = askingPrice;
    }

    modifier in_(StateType state) {
        require(State == state, "not in this state");
        _;
    }

    modifier by(address who) {
        require(msg.sender == who, "not yours to do");
        _;
    }

    function ChangePrice(uint256 askingPrice) external in_(StateType.Offered) by(Seller) {
        AskingPrice = askingPrice;
    }

    function MakeOffer(address inspector, uint256 offerPrice) external in_(StateType.Offered) {
        require(msg.sender != Seller, "a seller cannot buy from itself");
        require(offerPrice > 0, "an offer needs a price");
        Buyer = msg.sender;
        Inspector = inspector;
        OfferPrice = offerPrice;
        State = StateType.OfferMade;
    }

    function RejectOffer() external in_(StateType.OfferMade) by(Seller) {
        Buyer = address(0);
        Inspector = address(0);
        OfferPrice = 0;
        State = StateType.Offered;
    }

    function AcceptOffer() external in_(StateType.OfferMade) by(Seller) {
        State = StateType.Agreed;
    }

    function Inspect(bool defects, string calldata report) external in_(StateType.Agreed) by(Inspector) {
        Defects = defects;
        Report = report;
        InspectedAt = block.timestamp;
        State = StateType.Inspected;
    }

    function Complete() external in_(StateType.Inspected) by(Buyer) {
        State = StateType.Completed;
    }

    function Withdraw() external {
        require(State < StateType.Completed, "it is over");
        require(msg.sender == Seller || msg.sender == Buyer, "not yours to do");
        State = StateType.Withdrawn;
    }

    /// What the buyer saves against the asking price.
    function Discount() external view returns (int256 amount) {
        return int256(AskingPrice) - int256(OfferPrice);
    }
}
