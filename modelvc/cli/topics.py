"""The pages of `mvc help TOPIC` that explain no command."""

POLICY = """\
The policy, .mvc/policy.toml, says which metrics count and what a new version must keep. It is committed.
`mvc check` judges models by it, `mvc rollback` chooses by it, and `mvc diff` says better or worse by it.

  [[metric]]
  model = "models/*"            # a path or a glob; without it, the rule judges every model
  name = "test.accuracy"        # the name of the metric, or a glob
  direction = "higher"          # or "lower", "target" (with target = NUMBER), "info"; never guessed
  min = 0.85                    # a floor; max is a ceiling
  max_drop = { abs = 0.01 }     # a larger loss fails; rel = 0.02 is a share of the old value
                                # with "lower" it is called max_rise

  [[model]]                     # files that `mvc add` records without being told
  model = "models/*"
  metrics = "metrics.json"      # also: params, predictions

A rule with an exact name fails a model that lacks the metric. If you track models with different metrics,
write `model = ` into each rule. With predictions of both versions, test = "paired" compares row by row:

  test = "paired"               # in [[metric]], beside max_drop or max_rise
  confidence = 0.95
  on_inconclusive = "fail"      # or "warn", if the rows do not decide

A checkout does not write a model that does what only an attack does; [scan] decides what `mvc scan` and a
checkout refuse:

  [scan]
  refuse = ["known-bad", "unreadable", "code", "unlisted"]   # `mvc scan` exits with 1; this is the default
  on_checkout = "block"         # block every verdict but listed and inert; "warn" (the default) blocks known-bad

The policy can only make a checkout stricter. `on_checkout` of [scan] in .git/mvc/config.toml decides for one
clone, and may also be "off", with which nothing is looked at.

See also: mvc scan --help, mvc check --help, mvc rollback --help, mvc metrics --help
"""

TOPICS = {"policy": POLICY}
