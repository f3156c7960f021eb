// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.5.0 <0.9.0;

contract Greeting {
    enum StateType { Asked, Answered, Closed }

    StateType public State;
    address public Asker;
    address public Responder;
    string public Question;
    string public Answer;

    constructor(string memory question) public {
        Asker = msg.sender;
        Question = question;
        State = StateType.Asked;
    }

    function Ask(string memory question) public {
        require(msg.sender == Asker, "only who asked asks again");
        Question = question;
        State = StateType.Asked;
    }

    function Reply(string memory answer) public {
        Responder = msg.sender;
        Answer = answer;
        State = StateType.Answered;
    }

    function Close() public {
        require(msg.sender == Asker, "only who asked closes");
        State = StateType.Closed;
    }
}
