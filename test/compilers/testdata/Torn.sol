pragma solidity >=0.4.25 <0.9.0;

import "./Nowhere.sol";

contract Torn {
    function set(uint a public {
