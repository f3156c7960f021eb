// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.6.12 <0.9.0;
pragma experimental ABIEncoderV2;

library Sums {
    function add(uint a, uint b) internal pure returns (uint c) {
        c = a + b;
        require(c >= a, "overflow");
    }
}

interface Listener {
    function told(address who, uint amount) external;
}

abstract contract Named {
    string public Name;
    function rename(string memory name) public virtual;
}

contract Ledger is Named {
    using Sums for uint;

    enum StateType { Open, Paused, Closed }
    struct Entry { address who; uint amount; bytes32[] notes; }

    StateType public State;
    address public immutable Owner = msg.sender;
    uint[] public Amounts;
    mapping(address => uint) public balances;
    Entry[] internal entries;
    Listener public Watcher;

    event Paid(address indexed who, uint amount, string why);

    modifier only(StateType state) {
        require(State == state, "wrong state");
        _;
    }

    function rename(string memory name) public override { Name = name; }

    function pay(Entry memory entry) public only(StateType.Open) {
        balances[entry.who] = balances[entry.who].add(entry.amount);
        entries.push(entry);
        Amounts.push(entry.amount);
        emit Paid(entry.who, entry.amount, Name);
        if (address(Watcher) != address(0)) {
            try Watcher.told(entry.who, entry.amount) { } catch Error(string memory why) { Name = why; } catch { }
        }
    }

    function all() public view returns (Entry[] memory) { return entries; }

    function sum() public view returns (uint total) {
        for (uint i = 0; i < entries.length; i++) {
            total = total.add(entries[i].amount);
        }
    }

    function codeSize(address a) public view returns (uint size) {
        assembly { size := extcodesize(a) }
    }

    receive() external payable { }
}

contract Child is Ledger {
    Ledger public made;
    function make() public { made = new Ledger{salt: bytes32(uint(1))}(); }
}
