"""Are rules, routes and inhibitions held by their cases? Each small thing of them is changed, one at a time."""
