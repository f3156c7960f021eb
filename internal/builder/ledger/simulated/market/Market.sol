// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// A shop with whatever App Builder must understand: calls that refuse, contracts
/// that it makes and calls, a getter that can be broken, a function that its
/// configuration does not have.
contract Shop {
    enum StateType { Open, Closed }

    StateType public State;
    int256 public Count;
    address public Owner;
    address public Last;
    string private note;
    bool private broken;

    constructor(int256 count) {
        require(count >= 0, "too few");
        Owner = msg.sender;
        Count = count;
    }

    modifier open() {
        require(State == StateType.Open, "closed");
        _;
    }

    function Note() external view returns (string memory) {
        require(!broken, "the note is lost");
        return note;
    }

    function Put(int256 n) external open {
        Count += n;
    }

    function Take(int256 n) external open {
        require(Count >= n, "too few");
        Count -= n;
    }

    function Write(string calldata text) external {
        note = text;
    }

    function Close() external open {
        State = StateType.Closed;
    }

    function Make(int256 n) external open {
        Last = address(new Item(this, n));
    }

    function Pass(Item item, int256 n) external {
        item.Add(n);
    }

    function Try(Item item, int256 n) external {
        try item.Add(n) {} catch { Count -= 1; }
    }

    function Break(bool how) external {
        broken = how;
    }

    function Hidden(uint256 n) external {
        Count += int256(n);
    }
}

contract Item {
    enum StateType { New, Used }

    StateType public State;
    int256 public Total;
    address public Maker;

    constructor(Shop shop, int256 n) {
        Maker = address(shop);
        Total = n;
    }

    function Add(int256 n) external {
        require(n != 13, "unlucky");
        Total += n;
        State = StateType.Used;
    }
}
