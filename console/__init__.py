"""What people use: officers, mediators, cashiers, reviewers, operators. Server-rendered, works without scripts."""
