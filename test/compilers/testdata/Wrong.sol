pragma solidity >=0.4.25 <0.9.0;

contract Wrong {
    uint public Amount;
    function set(address who) public {
        Amount = who + "text";
        Missing = 1;
        undefined(Amount);
    }
}

contract Wrong { }
