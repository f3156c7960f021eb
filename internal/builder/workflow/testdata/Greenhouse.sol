// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.5.0 <0.9.0;

contract Greenhouse {
    enum StateType { Building, Growing, Abandoned }
    enum ModeEnum { Off, Cool, Heat, Auto }

    address public Installer;
    address public User;
    address public Sensor;
    int public Target;
    uint public ReadAt;
    bool public Alarm;
    ModeEnum public Mode;
    StateType public State;

    constructor(address installer, address user) public {
        Installer = installer;
        User = user;
        Target = 18;
        State = StateType.Growing;
    }

    function SetTarget(int target) public {
        require(msg.sender == User || msg.sender == Installer, "not yours");
        Target = target;
    }

    function SetMode(ModeEnum mode) public {
        require(msg.sender == User, "not yours");
        Mode = mode;
    }

    function Read(int64 celsius, uint readAt, bool alarm) public {
        require(readAt >= ReadAt, "older than the last");
        if (celsius > Target) Alarm = alarm;
        ReadAt = readAt;
        Sensor = msg.sender;
    }

    function Abandon() public {
        State = StateType.Abandoned;
    }
}
