package offchain

import (
	"fmt"
	"strings"
)

// sqlView is one of the documented views: its columns in their documented order,
// and where its rows come from. A column is the view's name for it, a type, and
// an expression. Types: int, bit, datetime, decimal, text.
type sqlView struct {
	name    string
	columns []column
	from    string
}

type column struct{ name, kind, expression string }

// columns reads lines of NAME TYPE EXPRESSION.
func columns(groups ...string) []column {
	var out []column
	for _, line := range strings.Split(strings.Join(groups, "\n"), "\n") {
		if f := strings.Fields(line); len(f) > 0 {
			out = append(out, column{f[0], f[1], strings.Join(f[2:], " ")})
		}
	}
	return out
}

// The groups of columns that the views share.
const (
	appColumns = `
		ApplicationId int app.id
		ApplicationName text app.name
		ApplicationDisplayName text app.display_name
		ApplicationEnabled bit app.enabled`
	appDescribed = `
		ApplicationId int app.id
		ApplicationName text app.name
		ApplicationDescription text app.description
		ApplicationDisplayName text app.display_name`
	workflowColumns = `
		WorkflowId int wf.id
		WorkflowName text wf.name
		WorkflowDisplayName text wf.display_name
		WorkflowDescription text wf.description`
	connectionColumns = `
		ConnectionId int conn.id
		ConnectionEndpointUrl text conn.endpoint
		ConnectionFundingAccount text NULLIF(conn.funding_account,'')
		LedgerId int ledger.id
		LedgerName text ledger.name
		LedgerDisplayName text ledger.display_name`
	userColumns = `
		UserId int person.id
		UserExternalId text person.external_id
		UserProvisioningStatus int person.status
		UserFirstName text person.first_name
		UserLastName text person.last_name
		UserEmailAddress text person.email`
	contractColumns = `
		ContractId int c.id
		ContractProvisioningStatus int {c.status}
		ContractCodeId int c.code_id
		ContractLedgerIdentifier text c.address`
	deployerColumns = `
		ContractDeployedByUserId int dep.id
		ContractDeployedByUserFirstName text dep.first_name
		ContractDeployedByUserLastName text dep.last_name
		ContractDeployedByUserExternalId text dep.external_id
		ContractDeployedByUserEmailAddress text dep.email`
	propertyColumns = `
		WorkflowPropertyId int prop.id
		WorkflowPropertyDataTypeId int prop.type_id
		WorkflowPropertyDataTypeName text kind.name
		WorkflowPropertyName text prop.name
		WorkflowPropertyDisplayName text prop.display_name
		WorkflowPropertyDescription text prop.description
		ContractPropertyValue text val.value`
	stateColumns = `
		StateName text st.name
		StateDisplayName text st.display_name
		StateValue text CASE WHEN st.id IS NULL THEN NULL ELSE val.value END`

	contractJoins = `contract c` + partJoins
	partJoins     = `
		JOIN workflow wf ON wf.id = c.workflow_id
		JOIN application app ON app.id = c.application_id
		JOIN person dep ON dep.id = c.deployed_by`
	propertyJoins = contractJoins + `
		JOIN property_value val ON val.contract_id = c.id
		JOIN workflow_property prop ON prop.id = val.property_id
		JOIN data_type kind ON kind.id = prop.type_id
		LEFT JOIN workflow_state st ON prop.type_id = 1 AND st.id = c.state_id`
	workflowJoins = `workflow wf JOIN application app ON app.id = wf.application_id`
)

// views are the 13 documented views. Those with {status} have a twin named ...V0
// with statuses folded to 0, 1 and 2 as in the first version.
var views = []sqlView{
	{"vwApplication", columns(appDescribed, `
		ApplicationEnabled bit app.enabled
		UploadedDtTm datetime app.created_at
		UploadedByUserId int person.id
		UploadedByUserExternalId text person.external_id
		UploadedByUserProvisioningStatus int person.status
		UploadedByUserFirstName text person.first_name
		UploadedByUserLastName text person.last_name
		UploadedByUserEmailAddress text person.email`),
		`application app JOIN person ON person.id = app.created_by`},
	{"vwApplicationRole", columns(appDescribed, `
		RoleId int role.id
		RoleName text role.name
		RoleDescription text role.description`),
		`role JOIN application app ON app.id = role.application_id`},
	{"vwApplicationRoleUser", columns(appDescribed, `
		ApplicationRoleId int role.id
		ApplicationRoleName text role.name
		ApplicationRoleDescription text role.description`, userColumns),
		`assignment JOIN role ON role.id = assignment.role_id JOIN application app ON app.id = role.application_id
		JOIN person ON person.id = assignment.person_id`},
	{"vwConnectionUser", columns(connectionColumns, userColumns, `
		UserChainIdentifier text account.address`),
		`account JOIN connection conn ON conn.id = account.connection_id JOIN ledger ON ledger.id = conn.ledger_id
		JOIN person ON person.id = account.person_id`},
	{"vwContract", columns(connectionColumns, appColumns, workflowColumns, `
		ContractCodeId int c.code_id
		ContractFileName text code.file_name
		ContractUploadedDtTm datetime code.created_at
		ContractId int c.id
		ContractProvisioningStatus int {c.status}
		ContractLedgerIdentifier text c.address
		ContractDeployedByUserId int dep.id
		ContractDeployedByUserExternalId text dep.external_id
		ContractDeployedByUserProvisioningStatus int dep.status
		ContractDeployedByUserFirstName text dep.first_name
		ContractDeployedByUserLastName text dep.last_name
		ContractDeployedByUserEmailAddress text dep.email`),
		contractJoins + ` JOIN connection conn ON conn.id = c.connection_id JOIN ledger ON ledger.id = conn.ledger_id
		JOIN code ON code.id = c.code_id`},
	{"vwContractAction", columns(appColumns, workflowColumns, contractColumns, deployerColumns, `
		WorkflowFunctionId int a.function_id
		WorkflowFunctionName text COALESCE(f.name,a.function_name)
		WorkflowFunctionDisplayName text COALESCE(f.display_name,a.function_name)
		WorkflowFunctionDescription text COALESCE(f.description,'')
		ContractActionId int a.id
		ContractActionProvisioningStatus int {a.status}
		ContractActionTimestamp datetime a.at
		ContractActionExecutedByUserId int doer.id
		ContractActionExecutedByUserFirstName text doer.first_name
		ContractActionExecutedByUserLastName text doer.last_name
		ContractActionExecutedByUserExternalId text doer.external_id
		ContractActionExecutedByUserEmailAddress text doer.email
		WorkflowFunctionParameterId int par.id
		WorkflowFunctionParameterName text COALESCE(par.name,arg.name)
		WorkflowFunctionParameterDisplayName text COALESCE(par.display_name,arg.name)
		WorkflowFunctionParameterDataTypeId int kind.id
		WorkflowParameterDataTypeName text kind.name
		ContractActionParameterValue text arg.value
		BlockHash text b.hash
		BlockNumber int b.number
		BlockTimestamp datetime b.time
		TransactionId int NULLIF(a.transaction_id,0)
		TransactionFrom text tr.from_address
		TransactionTo text tr.to_address
		TransactionHash text COALESCE(tr.hash,NULLIF(a.hash,''))
		TransactionIsWorkbenchTransaction bit tr.ours
		TransactionProvisioningStatus int {tr.status}
		TransactionValue decimal tr.value`),
		`action a JOIN contract c ON c.id = a.contract_id` + partJoins + `
		JOIN person doer ON doer.id = a.person_id
		LEFT JOIN workflow_function f ON f.id = a.function_id
		LEFT JOIN argument arg ON arg.action_id = a.id
		LEFT JOIN function_parameter par ON par.id = arg.parameter_id
		LEFT JOIN data_type kind ON kind.id = par.type_id
		LEFT JOIN block b ON b.id = a.block_id
		LEFT JOIN ledger_transaction tr ON tr.id = a.transaction_id`},
	{"vwContractProperty", columns(appColumns, workflowColumns, contractColumns, deployerColumns, propertyColumns, stateColumns, `
		ConnectionId int c.connection_id
		WorkflowPropertyValue text val.value`),
		propertyJoins},
	{"vwContractState", columns(appColumns, workflowColumns, `
		ContractLedgerImplementationId text c.address
		ContractLedgerIdentifier text c.address
		ContractId int c.id
		ContractProvisioningStatus int {c.status}
		ConnectionId int c.connection_id
		ContractCodeId int c.code_id
		ContractDeployedByUserId int dep.id
		ContractDeployedByUserExternalId text dep.external_id
		ContractDeployedByUserFirstName text dep.first_name
		ContractDeployedByUserLastName text dep.last_name
		ContractDeployedByUserEmailAddress text dep.email`, propertyColumns, stateColumns),
		propertyJoins + ` WHERE prop.type_id = 1`},
	{"vwUser", columns(`
		ID int person.id
		ExternalID text person.external_id
		ProvisioningStatus int person.status
		FirstName text person.first_name
		LastName text person.last_name
		EmailAddress text person.email`),
		`person WHERE person.id > 0`},
	{"vwWorkflow", columns(appColumns, workflowColumns, `
		WorkflowConstructorFunctionId int wf.constructor_id
		WorkflowStartStateId int st.id
		WorkflowStartStateName text st.name
		WorkflowStartStateDisplayName text st.display_name
		WorkflowStartStateDescription text st.description
		WorkflowStartStateStyle text st.style
		WorkflowStartStateValue int st.value
		WorkflowStartStatePercentComplete int st.percent_complete
		ApplicationUploadedDtTm datetime app.created_at`),
		workflowJoins + ` LEFT JOIN workflow_state st ON st.id = wf.start_state_id`},
	{"vwWorkflowFunction", columns(appColumns, workflowColumns, `
		WorkflowFunctionId int f.id
		WorkflowFunctionName text f.name
		WorkflowFunctionDisplayName text f.display_name
		WorkflowFunctionDescription text f.description
		WorkflowFunctionIsConstructor bit f.constructor
		WorkflowFunctionParameterId int par.id
		WorkflowFunctionParameterName text par.name
		WorkflowFunctionParameterDisplayName text par.display_name
		WorkflowFunctionParameterDataTypeId int kind.id
		WorkflowParameterDataTypeName text kind.name`),
		workflowJoins + ` JOIN workflow_function f ON f.workflow_id = wf.id
		LEFT JOIN function_parameter par ON par.function_id = f.id LEFT JOIN data_type kind ON kind.id = par.type_id`},
	{"vwWorkflowProperty", columns(appColumns, workflowColumns, `
		WorkflowPropertyID int prop.id
		WorkflowPropertyName text prop.name
		WorkflowPropertyDescription text prop.description
		WorkflowPropertyDisplayName text prop.display_name
		WorkflowPropertyWorkflowId int prop.workflow_id
		WorkflowPropertyDataTypeId int kind.id
		WorkflowPropertyDataTypeName text kind.name
		WorkflowPropertyIsState bit CASE WHEN kind.id = 1 THEN 1 ELSE 0 END`),
		workflowJoins + ` JOIN workflow_property prop ON prop.workflow_id = wf.id JOIN data_type kind ON kind.id = prop.type_id`},
	{"vwWorkflowState", columns(appColumns, workflowColumns, `
		WorkflowStateID int st.id
		WorkflowStateName text st.name
		WorkflowStateDisplayName text st.display_name
		WorkflowStateDescription text st.description
		WorkflowStatePercentComplete int st.percent_complete
		WorkflowStateValue text CAST(st.value AS TEXT)
		WorkflowStateStyle text st.style`),
		workflowJoins + ` JOIN workflow_state st ON st.workflow_id = wf.id`},
}

// twins are the views that exist with the statuses of the first version too.
var twins = []string{"vwContract", "vwContractAction", "vwContractProperty", "vwContractState"}

// viewSQL is the statement that makes a view; folded gives its V0 twin.
func viewSQL(v sqlView, d dialect, folded bool) string {
	name := v.name
	if folded {
		name += "V0"
	}
	var out []string
	for _, c := range v.columns {
		e := c.expression
		if inner, ok := strings.CutPrefix(e, "{"); ok {
			e = strings.TrimSuffix(inner, "}")
			if folded {
				e = fmt.Sprintf("CASE WHEN %s = 5 THEN 1 WHEN %s > 2 THEN 0 ELSE %s END", e, e, e)
			}
		}
		switch c.kind {
		case "bit":
			e = d.boolean(e)
		case "datetime":
			e = d.time(e)
		case "decimal":
			e = d.number(e)
		}
		out = append(out, fmt.Sprintf("%s AS %q", e, c.name))
	}
	return fmt.Sprintf("CREATE VIEW %q AS SELECT\n    %s\nFROM %s;\n", name, strings.Join(out, ",\n    "), v.from)
}

// viewNames lists all 17.
func viewNames() []string {
	var out []string
	for _, v := range views {
		out = append(out, v.name)
	}
	for _, t := range twins {
		out = append(out, t+"V0")
	}
	return out
}
