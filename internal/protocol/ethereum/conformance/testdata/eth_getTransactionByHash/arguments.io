// arguments of every kind, good and bad
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionByHash","params":[]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"missing value for required argument 0"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionByHash","params":["0x0000000000000000000000000000000000000000000000000000000000000000",false]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"too many arguments, want at most 1"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionByHash","params":["0x1",false]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid argument 0: json: cannot unmarshal hex string of odd length into Go value of type common.Hash"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionByHash","params":["0x7a8fe3126aec27f75e75c7b3e9c46eecdad0b5b0a474e3e169c0d13c8f41bc62","x"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"too many arguments, want at most 1"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionByHash","params":[5,false]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid argument 0: json: cannot unmarshal non-string into Go value of type common.Hash"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionByHash","params":[null,false]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"missing value for required argument 0"}}
