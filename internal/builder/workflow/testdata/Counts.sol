// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.5.0 <0.9.0;

contract Counts {
    enum StateType { Counting, Done }

    StateType public State;
    address public Maker;
    int[12] public Monthly;
    uint[] public Miles;
    bool[] public Flags;
    uint32[] public Times;
    uint128[] public Prices;
    int public Total;

    constructor(int[12] memory monthly, uint[] memory miles) public {
        Maker = msg.sender;
        Monthly = monthly;
        Miles = miles;
    }

    function Add(uint[] memory miles, bool[] memory flags, uint32[] memory times, uint128[] memory prices) public {
        Miles = miles;
        Flags = flags;
        Times = times;
        Prices = prices;
    }

    function Sum() public {
        for (uint i = 0; i < Monthly.length; i++) Total += Monthly[i];
        State = StateType.Done;
    }

    function GetMonthly() public view returns (int[12] memory) { return Monthly; }
    function GetMiles() public view returns (uint[] memory) { return Miles; }
    function GetFlags() public view returns (bool[] memory) { return Flags; }
    function GetTimes() public view returns (uint32[] memory) { return Times; }
    function GetPrices() public view returns (uint128[] memory) { return Prices; }
}
