# ./dev docs: checks that the links, paths and messages in the documents, and the names of steps
# everywhere, lead somewhere.
command -v python3 >/dev/null 2>&1 || install_needs build  # Meson brings it.
python3 scripts/check_docs.py --self-test
python3 scripts/check_labels.py --self-test
python3 scripts/check_labels.py .
exec python3 scripts/check_docs.py .
