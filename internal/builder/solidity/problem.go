package solidity

import "github.com/coco-consortium/coco/internal/problem"

// What can be wrong with uploaded code and with compilers. Every error of this
// room that a person can do something about is one of these.
var (
	ErrFileKind = problem.New("CODE_FILE_KIND", "the code is neither a .sol file, nor a .zip of them, nor artifacts as .json",
		"upload one .sol, a .zip of several, or the .json that Hardhat, Foundry or solc wrote")
	ErrFileEmpty = problem.New("CODE_FILE_EMPTY", "there is no Solidity code and no artifact in the upload",
		"upload a file with at least one contract")
	ErrFileLimit = problem.New("CODE_FILE_LIMIT", "the upload is larger than code may be",
		"upload only the sources that the contracts need")
	ErrFileUnsafe = problem.New("CODE_FILE_UNSAFE", "the archive has an entry that is not accepted",
		"make the archive again from a folder with plain .sol files, with relative names and without links")
	ErrFileDamaged = problem.New("CODE_FILE_DAMAGED", "the upload cannot be read",
		"make the file again and upload it once more")
	ErrArtifact = problem.New("CODE_ARTIFACT_UNKNOWN", "the JSON is not an artifact of Hardhat, Foundry, Truffle or solc",
		"upload the .sol file instead, or the artifact with abi and bytecode")
	ErrPragma = problem.New("PRAGMA_INVALID", "a version pragma cannot be understood",
		`write it as in "pragma solidity >=0.4.25 <0.6.0;"`)
	ErrDoesNotCompile = problem.New("CODE_DOES_NOT_COMPILE", "the code does not compile",
		"correct the code at the place that is named and upload it again")
	ErrCompilerMissing = problem.New("COMPILER_MISSING", "no installed compiler fits the code",
		"add one with coco compiler add FILE; coco compiler list shows what is there")
	ErrCompilerUnusable = problem.New("COMPILER_UNUSABLE", "the file is no compiler that can be used",
		"fetch the npm package solc of the wanted version (npm pack solc@0.5.17) and add the file as it is")
	ErrCompilerChanged = problem.New("COMPILER_CHANGED", "a compiler's file is no longer what was added",
		"add the compiler again with coco compiler add FILE")
	ErrCompilerTime = problem.New("COMPILER_TIME", "the compiler needed more time than it is given",
		"look for very long constants, deep nesting or generated code, or split the contract")
	ErrCompilerMemory = problem.New("COMPILER_MEMORY", "the compiler needed more memory than it is given",
		"look for very long constants, deep nesting or generated code, or split the contract")
	ErrCompilerFailed = problem.New("COMPILER_FAILED", "the compiler broke down on this code",
		"try another version of the compiler by another pragma; the code may be at fault too")
)
