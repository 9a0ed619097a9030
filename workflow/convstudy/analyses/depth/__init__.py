"""Does depth beat width? Stacks of one to six layers per stage, of each kind."""
