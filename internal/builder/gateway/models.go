package gateway

// model is an object of requests or answers.
//
// Each line of fields is a member: its name, its type, marks, and words about it.
// A type is integer, number, boolean, string, time, json, another model, or one of
// these in brackets: a list. The marks: ? it may be null; + an addition to
// Workbench; 2 in version 2 only; ~ it may be missing.
type model struct {
	name, text, fields string
}

// models are all of them. Names and letter case are Workbench's.
var models = []model{
	{"ApplicationList", "A page of applications.", `
		nextLink string? relative path of the next page
		applications [Application]`},
	{"Application", "One version of an application.", `
		id integer
		name string
		description string
		displayName string
		createdByUserId integer?
		createdDtTm time
		enabled boolean false: read only
		blobStorageURL string? always null: files are kept in the database
		applicationRoles [ApplicationRole]? null in lists
		version string+ 1.0, 2.0 and so on
		isLatest boolean+ no later version exists
		archived boolean+
		hasContractCode boolean+ step two of the upload was done`},
	{"ApplicationRole", "A role of an application.", `
		id integer
		name string
		description string`},
	{"RoleAssignmentList", "A page of role assignments.", `
		nextLink string?
		roleAssignments [RoleAssignment]`},
	{"RoleAssignment", "One person's role in an application.", `
		id integer
		applicationRoleId integer
		user User`},
	{"RoleAssignmentInput", "Who gets which role.", `
		userId integer
		applicationRoleId integer`},
	{"UserList", "A page of people.", `
		nextLink string?
		users [User]`},
	{"User", "A person or a service.", `
		userID integer
		externalID string claim oid, or sub, of their tokens
		firstName string
		lastName string
		emailAddress string
		userChainMappings [UserChainMapping] their accounts on ledgers
		provisioningStatus integer+ 0 created, 1 key associated, 2 provisioned
		isClient boolean+ a service`},
	{"UserChainMapping", "The account of a person on a connection.", `
		userChainMappingID integer
		userID integer
		connectionID integer
		chainIdentifier string? address
		chainBalance number always 0`},
	{"UserInput", "A person to be made known.", `
		externalID string
		firstName string?~
		lastName string?~
		emailAddress string?~`},
	{"Me", "The caller.", `
		currentUser User
		capabilities Capabilities`},
	{"Capabilities", "What the caller may do beside contracts.", `
		canUploadApplication boolean
		canUploadContractCode boolean
		canModifyRoleAssignments boolean
		canProvisionUser boolean`},
	{"WorkflowList", "A page of workflows; what is nested in them is null.", `
		nextLink string?
		workflows [Workflow]`},
	{"Workflow", "One kind of contract.", `
		id integer
		name string
		description string
		displayName string
		applicationId integer
		constructorId integer
		startStateId integer
		initiators [string]? roles whose members may create contracts
		properties [WorkflowProperty]?
		constructor WorkflowFunction?
		functions [WorkflowFunction]?
		startState WorkflowState?
		states [WorkflowState]?`},
	{"WorkflowProperty", "A readable member of a contract.", `
		id integer
		name string
		description string
		displayName string
		type WorkflowDataType`},
	{"WorkflowFunctionList", "A page of functions that the caller may call now.", `
		nextLink string?
		workflowFunctions [WorkflowFunction]`},
	{"WorkflowFunction", "A function, or the constructor, whose name is empty.", `
		id integer
		name string
		description string
		displayName string
		parameters [WorkflowFunctionParameter]
		workflowId integer
		readOnly boolean+ it is asked by /calls, and no action
		signature string?+ which function of several with one name
		returns [WorkflowValueType]?+`},
	{"WorkflowFunctionParameter", "A parameter.", `
		id integer
		name string
		description string
		displayName string
		type WorkflowDataType`},
	{"WorkflowValueType", "A field of a struct, or a returned value.", `
		name string
		description string
		displayName string
		type WorkflowDataType`},
	{"WorkflowDataType", "A type: a base type, or a role's name.", `
		id integer
		name string
		elementType WorkflowDataType?
		elementTypeId integer 0 for none
		applicationId integer?
		enumValues [string]
		fields [WorkflowValueType]?+ of a struct`},
	{"WorkflowState", "A state.", `
		id integer
		name string
		description string
		displayName string
		percentComplete integer
		value integer
		style string Success or Failure
		workflowStateTransitions [WorkflowStateTransition]`},
	{"WorkflowStateTransition", "What may be done in a state, and by whom.", `
		id integer
		workflowFunctionId integer
		currStateId integer
		allowedRoles [string]
		allowedInstanceRoles [string]
		description string
		function string
		currentState string
		displayName string
		nextStates [string]+`},
	{"ContractCodeList", "A page of contract code.", `
		nextLink string?
		contractCodes [ContractCode]`},
	{"ContractCode", "The code of an application for one kind of ledger.", `
		contractCodeID integer
		ledgerID integer
		createdByUserId integer?
		createdDtTm time
		fileName string+`},
	{"CheckResult", "What a check found.", `
		Result boolean nothing forbids the upload
		Errors [string]
		Warnings [string]
		findings [Finding]+
		Application json? the configuration, if it is right`},
	{"Finding", "One thing that is wrong, or looks so.", `
		severity string error or warning
		code string
		rule string
		file string
		line integer
		column integer
		pointer string into the configuration (RFC 6901)
		message string
		fix string`},
	{"LedgerList", "The kinds of ledger.", `
		nextLink string?
		ledgers [Ledger]`},
	{"Ledger", "A kind of ledger.", `
		id integer
		name string
		displayName string`},
	{"ConnectionList", "A page of connections, under the singular.", `
		nextLink string?
		connection [Connection]`},
	{"Connection", "A ledger that contracts may stand on.", `
		connectionID integer
		ledgerID integer
		endpointURL string
		fundingAccount string?
		kind string+ coco or ethereum
		chainId integer+`},
	{"BlockList", "A page of blocks.", `
		nextLink string?
		blocks [Block]`},
	{"Block", "A block that was taken in.", `
		id integer of the database
		connectionId integer
		timestamp time
		blockNumber integer height
		blockHash string?`},
	{"TransactionList", "A page of transactions.", `
		nextLink string?
		transactions [Transaction]`},
	{"Transaction", "A transaction of a block that was taken in.", `
		id integer of the database
		connectionId integer
		transactionHash string?
		blockID integer
		from string?
		to string? null: a creation
		value number
		isAppBuilderTx boolean signed by this installation
		blockNumber integer
		blockHash string?
		provisioningStatus integer+ 2 committed, 5 reverted
		txId string?+ the ledger's own id`},
	{"ContractList", "A page of contracts.", `
		nextLink string?
		contracts [Contract]`},
	{"Contract", "One instance of a workflow.", `
		id integer
		provisioningStatus integer 0 asked, 1 sent, 2 committed; in version 2 also 3 refused, 4 failed, 5 reverted
		timestamp time of the creation
		connectionID integer
		ledgerIdentifier string? address
		deployedByUserId integer?
		workflowId integer
		contractCodeId integer
		contractProperties [ContractProperty]
		transactions [Transaction]? null in lists unless expanded
		contractActions [ContractAction]? null in lists unless expanded
		requestId string?
		applicationId integer+
		workflowStateId integer?+
		modifiedDtTm time?+ of the last action
		modifiedByUserId integer?+
		blockNumber integer+ of the last block that touched it; 0 for none`},
	{"ContractProperty", "The value of a property.", `
		workflowPropertyId integer
		value string`},
	{"ContractActionList", "A page of past actions.", `
		nextLink string?
		contractActions [ContractAction]`},
	{"ContractAction", "A past action.", `
		id integer
		userId integer? null: nobody known
		provisioningStatus integer as a contract's
		timestamp time
		parameters [ContractActionParameter]
		workflowFunctionId integer?
		transactionId integer?
		workflowStateId integer? after the action
		requestId string?
		functionName string?+
		from string?+ the account that called
		callerContractId integer?+ the contract that called
		transactionHash string?+
		txId string?+
		errorCode string?+2
		errorMessage string?+2
		revertReason string?+2`},
	{"ContractActionParameter", "A value that an action was given; name is the parameter's display name.", `
		name string
		value string
		workflowFunctionParameterId integer?`},
	{"WorkflowActionInput", "What a function is called with; names are the configuration's.", `
		workflowFunctionID integer
		workflowActionParameters [WorkflowActionParameter]?~`},
	{"WorkflowActionParameter", "A value for a parameter.", `
		name string
		value string?~ text; numbers, booleans and lists of them are taken as they are written`},
	{"ContractPropertyValueList", "A page of values that properties had.", `
		nextLink string?
		contractPropertyValues [ContractPropertyValue]`},
	{"ContractPropertyValue", "A value that a property had from a block on.", `
		workflowPropertyId integer
		value string
		blockNumber integer
		blockId integer?
		timestamp time?`},
	{"CallResult", "What a read-only function returned.", `
		workflowFunctionID integer
		results [CallValue]`},
	{"CallValue", "A returned value; its place where it has no name.", `
		name string
		value string`},
	{"Proof", "The ledger's receipt of an action.", `
		receipt json?
		service string? certificate of the service that issued it, PEM
		verified boolean it was checked here against service
		problem string? why it is not verified`},
	{"DirectoryList", "People, as Microsoft Graph lists them.", `
		@odata.context string
		value [DirectoryUser]`},
	{"DirectoryUser", "A person, as Microsoft Graph shows them.", `
		id string
		displayName string
		givenName string?
		surname string?
		mail string?
		userPrincipalName string`},
	{"Problem", "Problem details (RFC 9457).", `
		type string
		title string
		status integer
		detail string
		instance string
		code string stable; see the reference of errors
		next string what to do
		error string what Workbench's clients look for
		issuer string~ that tokens must be from (401)
		audience string~ that tokens must be for (401)
		revertReason string~ of a read call that reverted
		Errors [string]~ of a refused upload
		Warnings [string]~
		findings [Finding]~`},
}
