"""Checks of this machine or of a cluster before work is sent there.

`node_facts` gathers what a node reports about itself, `nodes` does so on every node of a cluster; the `…_checks`
modules turn their reports into `findings` by comparison alone, so that every problem can be tested without having it;
`diagnosis` puts them together.
"""
