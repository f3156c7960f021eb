pragma solidity >=0.4.25 <0.6.0;

library Sums {
    function add(uint a, uint b) internal pure returns (uint c) {
        c = a + b;
        require(c >= a, "overflow");
    }
}

interface Listener {
    function told(address who, uint amount) external;
}

contract Ledger {
    using Sums for uint;

    enum StateType { Open, Paused, Closed }
    struct Entry { address who; uint amount; bytes32 note; }

    StateType public State;
    address public Owner;
    string public Name;
    uint[] public Amounts;
    mapping(address => uint) public balances;
    Entry[] internal entries;
    Listener public Watcher;

    event Paid(address indexed who, uint amount, string why);

    modifier only(StateType state) {
        require(State == state, "wrong state");
        _;
    }

    constructor() public {
        Owner = msg.sender;
        Name = "ledger \"with\" quotes, ünïcödé";
    }

    function pay(address who, uint amount, bytes32 note) public only(StateType.Open) {
        balances[who] = balances[who].add(amount);
        entries.push(Entry(who, amount, note));
        Amounts.push(amount);
        emit Paid(who, amount, Name);
        if (address(Watcher) != address(0)) {
            Watcher.told(who, amount);
        }
    }

    function pay(address who) public { pay(who, 1, keccak256("one")); }

    function sum() public view returns (uint total) {
        for (uint i = 0; i < entries.length; i++) {
            total = total.add(entries[i].amount);
        }
    }

    function close() public only(StateType.Open) {
        if (msg.sender != Owner) revert();
        State = StateType.Closed;
    }

    function codeSize(address a) public view returns (uint size) {
        assembly { size := extcodesize(a) }
    }

    function() external payable { }
}

contract Child is Ledger {
    Ledger public made;
    function make() public { made = new Ledger(); }
}
