module scans

go 1.24

require saker v0.0.0

replace saker => ../../rules-sdk/go
