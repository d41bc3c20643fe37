"""Judges requests to Function Compute by the models of its official SDK.

Reads a list of [model, value]. Prints, for each, the value as the model gives it back: a key that the model does not
know is gone. Lists that it adds empty are left out.
"""

import json
import sys

from alibabacloud_fc20230330 import models

answers = []
for model, value in json.load(sys.stdin):
    read = getattr(models, model)().from_map(value)
    read.validate()
    given_back = read.to_map()
    answers.append({key: given_back[key] for key in given_back if key in value or given_back[key] != []})
json.dump(answers, sys.stdout)
