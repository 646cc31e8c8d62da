# ./dev docs: checks that the links, paths and messages in the documents lead somewhere, and the
# English of comments, texts and documents.
command -v python3 >/dev/null 2>&1 || install_needs build  # Meson brings it.
python3 scripts/check_docs.py --self-test
python3 scripts/check_words.py --self-test
python3 scripts/check_docs.py .
exec python3 scripts/check_words.py
