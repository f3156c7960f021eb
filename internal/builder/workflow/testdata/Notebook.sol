// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.4.20 <0.6.0;

contract WorkbenchBase {
    event WorkbenchContractCreated(string applicationName, string workflowName, address originatingAddress);
    event WorkbenchContractUpdated(string applicationName, string workflowName, string action, address originatingAddress);
    string internal ApplicationName;
    string internal WorkflowName;

    constructor(string memory applicationName, string memory workflowName) public {
        ApplicationName = applicationName;
        WorkflowName = workflowName;
    }
    function ContractCreated() internal { emit WorkbenchContractCreated(ApplicationName, WorkflowName, msg.sender); }
    function ContractUpdated(string memory action) internal { emit WorkbenchContractUpdated(ApplicationName, WorkflowName, action, msg.sender); }
}

contract Notebook is WorkbenchBase("Notebook", "Notebook") {
    enum StateType { Open, Closed }
    StateType public State;
    address public Writer;
    string public Text;

    constructor(string memory text) public {
        Writer = msg.sender;
        Text = text;
        ContractCreated();
    }

    function Write(string memory text) public {
        require(msg.sender == Writer);
        Text = text;
        ContractUpdated("Write");
    }

    function Close() public {
        State = StateType.Closed;
        ContractUpdated("Close");
    }
}
