module stagelink.invalid/tests/rig/programs

go 1.22.0
