// fees are asked for
>> {"jsonrpc":"2.0","id":1,"method":"eth_simulateV1","params":[{"validation":true,"blockStateCalls":[{"calls":[{"from":"0xc0c0000000000000000000000000000000000002","to":"0xc0c0000000000000000000000000000000000001","maxFeePerGas":"0x1"}]}]},"latest"]}
<< {"jsonrpc":"2.0","id":1,"error":{"code":-38012,"message":"err: max fee per gas less than block base fee: address 0xc0C0000000000000000000000000000000000002, maxFeePerGas: 1, baseFee: 393331550 (supplied gas 50000000)"}}
