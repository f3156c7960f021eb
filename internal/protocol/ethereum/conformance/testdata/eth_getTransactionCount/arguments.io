// arguments of every kind, good and bad
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":[]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"missing value for required argument 0"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65"]}
<< {"jsonrpc":"2.0","id":1,"result":"0x15"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65","latest"]}
<< {"jsonrpc":"2.0","id":1,"result":"0x15"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65","pending"]}
<< {"jsonrpc":"2.0","id":1,"result":"0x15"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65","0x0000000000000000000000000000000000000000000000000000000000000000"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"header for hash not found"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65","0x99"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"header not found"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["0x1","latest"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid argument 0: json: cannot unmarshal hex string of odd length into Go value of type common.Address"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["x","latest"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid argument 0: json: cannot unmarshal hex string without 0x prefix into Go value of type common.Address"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65",{"blockHash":"0x7a8fe3126aec27f75e75c7b3e9c46eecdad0b5b0a474e3e169c0d13c8f41bc62"}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x7"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65",{"blockHash":"0x7a8fe3126aec27f75e75c7b3e9c46eecdad0b5b0a474e3e169c0d13c8f41bc62","requireCanonical":true}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x7"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65",{"blockNumber":"0x3"}]}
<< {"jsonrpc":"2.0","id":1,"result":"0x7"}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65",{"blockNumber":"0x3","blockHash":"0x0000000000000000000000000000000000000000000000000000000000000000"}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid argument 1: cannot specify both BlockHash and BlockNumber, choose one or the other"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65",{}]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid argument 1: must specify either BlockHash or BlockNumber"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65",""]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"invalid argument 1: empty hex string"}}
>> {"jsonrpc":"2.0","id":1,"method":"eth_getTransactionCount","params":["0xf8379eed7c8fb90c3f916142d53a9ad2e676ed65","latest",1]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"too many arguments, want at most 2"}}
