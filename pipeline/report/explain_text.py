"""An explanation as a person reads it on a terminal; nothing out of a page can steer the terminal."""

from typing import Any

from pipeline.report.html_parts import clean

_WIDE = 200  # characters of a value


def explanation_text(found: dict[str, Any]) -> str:
    """Show an explanation to a person."""
    blocks = [_record(record) for record in found["records"]]
    if found["more"]:
        blocks.append(f"and more records; these are the first {len(found['records'])}")
    return "\n\n".join(blocks)


def _record(record: dict[str, Any]) -> str:
    document, origin = record["document"], record["document"]["origin"]
    lines = [
        f"{clean(document['id'])}  ({record['source']}, {record['part']}, row {record['row']})",
        f"  url        {_shown(document['url'])}",
        f"  origin     {_shown(origin['file'])} at byte {origin['offset']:,}, {origin['length']:,} bytes",
        f"  fetched    {_fetched(document)}",
    ]
    if document["title"]:
        lines.append(f"  title      {_shown(document['title'])}")
    if document["truncated"]:
        lines.append(f"  truncated  {_shown(document['truncated'])}")
    if document["opt_out"]:
        lines.append(f"  opt-out    {_shown(', '.join(document['opt_out']))}")
    lines.append(f"  extract    {_fate(document)}")
    if "annotations" in record:
        lines += _annotations(record)
    if "duplicates" in record:
        lines += _duplicates(record)
    if "repeats" in record:
        lines.append(f"  repeats    {_fate(record['repeats'])}")
    if "contamination" in record:
        lines += _contamination(record["contamination"])
    if "trained_text" in record:
        lines += _trained_text(record["trained_text"])
    outcome = record["outcome"]
    why = f" by `{outcome['rule']}`" if outcome["rule"] else ""
    more = f" ({_shown(outcome['detail'])})" if outcome["detail"] else ""
    lines.append(f"  => {outcome['fate']} at {outcome['stage']}{why}{more}")
    if record["text_begins"]:
        lines.append(f"  text ({record['characters']:,} characters): {clean(record['text_begins'], 300)}")
    return "\n".join(lines)


def _fetched(document: dict[str, Any]) -> str:
    told = [document["timestamp"] or "at an unknown time"]
    if document["http_status"] is not None:
        told.append(f"status {document['http_status']}")
    if document["mime"]:
        told.append(document["mime"])
    if document["charset"]:
        told.append(f"charset {document['charset']} ({document['charset_from']})")
    return _shown(", ".join(told))


def _annotations(record: dict[str, Any]) -> list[str]:
    told = record["annotations"]
    lines = [f"  annotate   {_fate(told)}"]
    if told["fate"] is None:
        return lines
    rules = record.get("checks", [])
    if rules:
        rows = [("", "rule", "signal", "value", "bound"), *(_check(rule) for rule in rules)]
        widths = [max(len(row[place]) for row in rows) for place in range(4)]
        for row in rows:
            cells = (
                row[0].ljust(widths[0]),
                row[1].ljust(widths[1]),
                row[2].ljust(widths[2]),
                row[3].rjust(widths[3]),
            )
            lines.append(f"    {'  '.join(cells)}  {row[4]}".rstrip())
        lines += [f"    {rule['rule']}: {rule['note']}" for rule in rules if "note" in rule]
    covered = {rule["signal"] for rule in rules} | {"fate", "rule", "detail", "signature", "text_hash"}
    rest = {k: v for k, v in told.items() if k not in covered and isinstance(v, (int, float, str))}
    if rest:
        lines.append(
            f"    without a rule: {', '.join(f'{name} {_value(value)}' for name, value in rest.items())}"
        )
    return lines


def _check(rule: dict[str, Any]) -> tuple[str, str, str, str, str]:
    mark = (
        "REMOVED"
        if rule["decided"]
        else {"removed": "breaks", "kept": "ok"}.get(rule["verdict"], rule["verdict"])
    )
    return mark, rule["rule"], rule["signal"], _value(rule["value"]), _bound(rule)


def _bound(rule: dict[str, Any]) -> str:
    if "probability" in rule:
        return f"kept if draw {rule['draw']:.4f} < {rule['probability']:.4g} = (2 - score)^-{rule['alpha']:g}"
    if "top_percent" in rule:
        border = rule["lowest_score_kept"]
        at = f"; lowest score kept {border:.4f}" if border is not None else ""
        return f"best {rule['top_percent']:g} % of the source{at}"
    if "expected" in rule:
        told = rule["expected"]
        return _shown(told if isinstance(told, str) else f"one of {', '.join(told)}")
    if "unwanted" in rule:
        return _shown(f"none of {', '.join(rule['unwanted'])}")
    bounds = (("at least", rule.get("min")), ("at most", rule.get("max")))
    return " and ".join(f"{word} {bound:,.12g}" for word, bound in bounds if bound is not None)


def _duplicates(record: dict[str, Any]) -> list[str]:
    lines = [f"  dedup      {_fate(record['duplicates'])}"]
    copy = record.get("duplicate")
    if copy is None:
        return lines
    similar = f", similarity {copy['similarity']:.3f}" if copy["similarity"] is not None else ""
    if copy["duplicate_of"] is not None:
        where = (
            f"{copy['other_source']}, {_shown(copy['other_url'])}"
            if copy["other_source"]
            else "not in this workspace"
        )
        lines += [
            f"    this       {_shown(copy['url'])}",
            f"    copy of    {_shown(copy['duplicate_of'])} ({where}){similar}",
        ]
    elif copy["other_source"]:
        lines.append(
            f"    in the cluster of {_shown(copy['cluster'])} ({copy['other_source']}, {_shown(copy['other_url'])})"
        )
    else:
        lines.append("    the best of its cluster: others are copies of it")
    return lines


def _contamination(told: dict[str, Any]) -> list[str]:
    lines = [f"  decontam.  {_fate(told)}"]
    if told.get("benchmarks"):
        lines.append(f"    benchmarks {_shown(', '.join(told['benchmarks']))}")
    texts = told.get("texts") or [""] * len(told.get("spans") or [])
    for span, text in zip(told.get("spans") or [], texts, strict=False):
        lines.append(f"    characters {span['start']:,} to {span['end']:,}: {clean(text, 120)}")
    return lines


def _trained_text(told: dict[str, Any]) -> list[str]:
    lines = [
        f"  edits      leave {told['characters_after']:,} of {told['characters_before']:,} characters to train on"
    ]
    if "lines_cut" in told:
        lines.append(f"    {told['lines_cut']:,} lines cut" + (":" if told["lines_cut"] else ""))
        lines += [f"      {clean(line, 100)}" for line in told["first_lines_cut"]]
    if told.get("repeats_cut"):
        lines.append(
            f"    {told['repeats_cut']:,} passages cut whose lines or sentences other documents hold:"
        )
        lines += [f"      {clean(passage, 100)}" for passage in told["first_repeats_cut"]]
    if told["pii"]:
        lines.append(f"    replaced: {', '.join(f'{kind} {count:,}' for kind, count in told['pii'].items())}")
    return lines


def _fate(row: dict[str, Any]) -> str:
    if row["fate"] is None:
        return "not judged: gone before"
    return " ".join(_shown(value) for value in (row["fate"], row["rule"], row.get("detail")) if value)


def _value(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return _shown(", ".join(map(str, value))) or "-"
    return f"{value:.4g}" if isinstance(value, float) else _shown(value)


def _shown(value: object) -> str:
    return "-" if value is None else clean(str(value), _WIDE)
