# ./dev docs: checks that the links, paths and messages in the documents, and the names of steps
# everywhere, lead somewhere; and the English of comments, texts and documents.
command -v python3 >/dev/null 2>&1 || install_needs build  # Meson brings it.
for check in docs labels words; do
  python3 "scripts/check_$check.py" --self-test
done
python3 scripts/check_labels.py .
python3 scripts/check_docs.py .
exec python3 scripts/check_words.py
