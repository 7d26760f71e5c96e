"""What each rule and error means, in words: those of fixed rules from a table, those of thresholds from the recipe."""

from pipeline.annotate.judge import keep_rule, signal_rules
from pipeline.annotate.rules import Rule
from pipeline.annotate.signals import unit_of
from pipeline.sections.filter import Filter
from pipeline.sections.root import Root
from pipeline.units import format_bytes

_FIXED = {
    "record_type": "a record that holds no document: a request, metadata, a description of the archive",
    "http_status": "the server's answer was not one of the statuses that the recipe takes",
    "media_type": "neither HTML nor plain text",
    "url_too_long": "the URL is longer than any address",
    "too_many_tags": "more tags than the recipe allows",
    "too_many_attributes": "more attributes in one tag than any page needs",
    "not_text": "the bytes are no text in any charset",
    "no_text": "nothing but markup: no text was left",
    "opt_out": "the page opts out of this use",
    "url_blocked_domain": "the domain is on a block list",
    "url_blocked_host": "the host is on a block list",
    "url_blocked_url": "the URL is on a block list",
    "url_word": "an unwanted word in the URL",
    "url_soft_words": "several doubtful words in the URL",
    "url_substring": "unwanted letters in the URL",
    "exact_duplicate": "the same words in the same order as a document that stayed",
    "near_duplicate": "nearly the same text as a document that stayed",
    "exact_duplicate_of_reference": "the same words as a document of the reference",
    "near_duplicate_of_reference": "nearly the same text as a document of the reference",
    "repeated_text": "all its lines, or runs of sentences, stand in other documents",
    "redirect": "a page of the wiki that only leads to another",
    "namespace": "a page of the wiki that is no article",
    "disambiguation": "a page of the wiki that only lists others",
    "cut_page": "the end of the page is missing",
    "bad_xml": "the dump is no right XML here",
    "xml_dtd": "the dump defines entities of its own, which is refused",
    "contaminated": "holds text of a benchmark",
    "too_many_pieces": "benchmark text in too many places",
    "no_piece_left": "nothing was left between the places with benchmark text",
    "excluded": "taken out by request",
    "extractor_error": "the extractor could not read the page",
    "bad_content_encoding": "the compressed body could not be read",
    "bad_content_length": "the record states no length that can be right",
    "no_text_field": "the row has no text where the recipe looks for it",
}


def rule_words(recipe: Root) -> dict[str, str]:
    """Describe the rules that a build with this recipe may name."""
    words = dict(_FIXED)
    extract = recipe.extract
    words["too_large"] = f"larger than {format_bytes(extract.max_bytes)}"
    words["too_deep"] = f"tags nested deeper than {extract.max_depth:,}"
    for settings in recipe.filters.values():
        for rule, told in _filter_words(settings).items():
            words[rule] = told if words.get(rule, told) == told else f"{words[rule]}; or {told}"
    return words


def _filter_words(settings: Filter) -> dict[str, str]:
    words = {rule.name: f"{rule.signal} {bound_words(rule)}" for rule in signal_rules(settings)}
    if settings.languages is not None:
        words["language"] = f"the language is not {' or '.join(settings.languages)}"
        words["language_score"] = f"the language is too unsure: score below {settings.min_language_score:g}"
    keep = keep_rule(settings)
    if keep.kind == "pareto":
        words["quality_pareto"] = f"did not pass the draw: kept with probability (2 - score)^-{keep.value:g}"
    if keep.kind == "threshold":
        words["quality_threshold"] = f"quality score below {keep.value:g}"
    if keep.kind == "top_percent":
        words["quality_top_percent"] = f"not among the best {keep.value:g} % of its source"
    return words


def bound_words(rule: Rule) -> str:
    """What breaks a rule: `below 50`, `above 0.2`, with the unit where the name does not tell it."""
    told = []
    if rule.min is not None:
        told.append(f"below {rule.min:,.12g}")
    if rule.max is not None:
        told.append(f"above {rule.max:,.12g}")
    unit = unit_of(rule.signal)
    return " or ".join(told) + (f" {unit}" if unit == "characters" else "")
