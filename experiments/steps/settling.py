#!/usr/bin/env python3
"""Reads the result of `gelato sim experiments/steps --json FILE` and prints, for each change and
policy, after how many rounds it had settled and how often it changed between drafting and letting
the target write. usage: settling.py FILE"""

import json
import sys

CHANGE = 400  # the scenario's change.round
WINDOW = 30  # rounds over which a speed is measured
NEAR = 0.85  # of the settled speed; that of 30 rounds varies by 7 %


def speed(series, first, last):
    return sum(series["committed"][first:last]) / sum(series["elapsed_s"][first:last])


def settled_after(series):
    """Rounds after the change from which on the next WINDOW are about as fast as the last half."""
    last = len(series["committed"])
    usual = speed(series, (CHANGE + last) // 2, last)
    for first in range(CHANGE, last - WINDOW):
        if speed(series, first, first + WINDOW) >= NEAR * usual:
            return first - CHANGE
    return None


def switches(series):
    """Changes between drafting and the target alone, past the first WINDOW rounds."""
    drafts = [drafted > 0 for drafted in series["drafted"][CHANGE + WINDOW :]]
    return sum(a != b for a, b in zip(drafts, drafts[1:]))


def rows(result):
    for row in result["rows"]:
        series = row["series"]
        last = len(series["committed"])
        yield {
            "change": ", ".join(f"{key}={value}" for key, value in row["cell"]["swept"].items()),
            "policy": row["label"],
            "before": speed(series, 100, CHANGE),
            "after": speed(series, (CHANGE + last) // 2, last),
            "settled": settled_after(series),
            "switches": switches(series),
        }


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        result = json.load(file)
    print("| change | policy | tok/s before | after | settled after, rounds | switches |")
    print("|---|---|---|---|---|---|")
    for row in rows(result):
        print(
            f"| {row['change']} | {row['policy']} | {row['before']:.1f} | {row['after']:.1f} "
            f"| {row['settled']} | {row['switches']} |"
        )


if __name__ == "__main__":
    main()
