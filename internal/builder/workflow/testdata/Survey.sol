// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Survey {
    enum StateType { Preparing, Asking, Closed }
    enum Colour { Red, Green, Blue }
    struct Place { string Street; uint16 Number; Colour Door; }
    struct Person { string Name; address Wallet; Place Home; }

    StateType public State;
    address public immutable Owner;
    Place public Office;
    string[] private questions;
    address[] private asked;
    Colour[] private colours;
    Person[] private people;

    error Closed(uint256 since);

    constructor(string[] memory list, Place memory office) {
        Owner = msg.sender;
        questions = list;
        Office = office;
    }

    function Invite(address[] calldata who) external { asked = who; State = StateType.Asking; }
    function Enter(Person calldata person) external { people.push(person); }
    function Enter(Person[] calldata list) external { for (uint i; i < list.length; i++) people.push(list[i]); }
    function Paint(Colour[] calldata list) external { colours = list; }
    function Close() external returns (uint256 count) {
        if (State == StateType.Closed) revert Closed(block.timestamp);
        State = StateType.Closed;
        return people.length;
    }

    function GetQuestions() external view returns (string[] memory) { return questions; }
    function GetAsked() external view returns (address[] memory) { return asked; }
    function GetColours() external view returns (Colour[] memory) { return colours; }
    function GetPeople() external view returns (Person[] memory) { return people; }
    function Find(string calldata name) external view returns (bool found, Person memory person) {
        for (uint i; i < people.length; i++)
            if (keccak256(bytes(people[i].Name)) == keccak256(bytes(name))) return (true, people[i]);
    }
    function Distance(int8 a, int8 b) external pure returns (int256) { return int256(a) - b; }
}
