module saker

go 1.24
