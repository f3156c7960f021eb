pragma solidity >=0.4.25 <0.9.0;

contract Small {
    enum StateType { Request, Respond }
    StateType public State;
    address public Requestor = msg.sender;
    uint public Amount;

    function respond(uint amount) public {
        if (State != StateType.Request) {
            revert();
        }
        for (uint i = 0; i < amount; i++) {
            Amount = Amount + i * amount;
        }
        State = StateType.Respond;
    }
}
