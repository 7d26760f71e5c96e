"""The ground floor: normalisation, words, lines and hashes, vectorised over Arrow buffers."""
