// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// A shipper asks for bids. The bid that it awards becomes a shipment: a contract
/// of its own, made by this one.
contract Tender {
    enum StateType { Open, Awarded, Cancelled }

    StateType public State;
    address public Shipper;
    address public Consignee;
    string public Goods;
    uint256 public Deadline;
    address public BestBidder;
    uint256 public BestPrice;
    int256 public MostCelsius;
    address public ShipmentContract;
    uint256[] private bids;

    constructor(address consignee, string memory goods, int256 mostCelsius, uint256 deadline) {
        require(consignee != address(0), "goods need a consignee");
        Shipper = msg.sender;
        Consignee = consignee;
        Goods = goods;
        MostCelsius = mostCelsius;
        Deadline = deadline;
    }

    function GetBids() external view returns (uint256[] memory) {
        return bids;
    }

    function Bid(uint256 price) external {
        require(State == StateType.Open, "the tender is closed");
        require(price > 0, "a bid needs a price");
        require(BestPrice == 0 || price < BestPrice, "there is a better bid");
        bids.push(price);
        BestBidder = msg.sender;
        BestPrice = price;
    }

    function Award() external {
        require(msg.sender == Shipper, "only the shipper awards");
        require(State == StateType.Open, "the tender is closed");
        require(BestPrice > 0, "there is no bid");
        ShipmentContract = address(new Shipment(this, Shipper, BestBidder, Consignee, Goods, BestPrice, MostCelsius));
        State = StateType.Awarded;
    }

    function Cancel() external {
        require(msg.sender == Shipper, "only the shipper cancels");
        require(State == StateType.Open, "the tender is closed");
        State = StateType.Cancelled;
    }
}

/// Goods on their way, with the temperatures that were read.
contract Shipment {
    enum StateType { Ordered, InTransit, Delivered, Accepted, Refused }

    StateType public State;
    address public TenderContract;
    address public Shipper;
    address public Carrier;
    address public Consignee;
    string public Goods;
    uint256 public Price;
    int256 public MostCelsius;
    bool public TooWarm;
    int256[] private readings;

    constructor(Tender tender, address shipper, address carrier, address consignee, string memory goods, uint256 price, int256 mostCelsius) {
        TenderContract = address(tender);
        Shipper = shipper;
        Carrier = carrier;
        Consignee = consignee;
        Goods = goods;
        Price = price;
        MostCelsius = mostCelsius;
    }

    function GetReadings() external view returns (int256[] memory) {
        return readings;
    }

    function PickUp() external {
        require(msg.sender == Carrier && State == StateType.Ordered, "the carrier picks up what was ordered");
        State = StateType.InTransit;
    }

    function Read(int256 celsius) external {
        require(msg.sender == Carrier && State == StateType.InTransit, "the carrier reads what is in transit");
        readings.push(celsius);
        if (celsius > MostCelsius) TooWarm = true;
    }

    function Deliver() external {
        require(msg.sender == Carrier && State == StateType.InTransit, "the carrier delivers what is in transit");
        State = StateType.Delivered;
    }

    function Accept() external {
        require(msg.sender == Consignee && State == StateType.Delivered, "the consignee accepts what was delivered");
        State = StateType.Accepted;
    }

    function Refuse() external {
        require(msg.sender == Consignee && State == StateType.Delivered, "the consignee refuses what was delivered");
        require(TooWarm, "only what became too warm can be refused");
        State = StateType.Refused;
    }
}
