#!/bin/sh
# The main job, in an empty folder, with a folder as remote. Run by `.ci/run demo` and by the tests.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL="$work/gitconfig" NO_COLOR=1
git config --global user.name Ada
git config --global user.email ada@example.org
git config --global init.defaultBranch main
git config --global advice.detachedHead false

say() { printf '\n$ %s\n' "$*"; }
run() { say "$*"; "$@"; }
train() {  # stands for a training run: writes model.pkl
  python3 -c "import pickle,random,sys; r=random.Random(int(sys.argv[1])); pickle.dump([r.random() for _ in range(200_000)], open('model.pkl','wb'))" "$1"
}

mkdir "$work/my-project" && cd "$work/my-project"
git init -q
run mvc init
git commit -qm "use mvc"
train 1
run mvc add model.pkl -m accuracy=0.91
run git commit -qm "first model"
train 2
run mvc add model.pkl -m accuracy=0.87
run git commit -qm "second model"
run mvc log model.pkl
run mvc checkout HEAD~1 model.pkl
run mvc status
git commit -qm "back to the model that worked"
run git checkout -q main~1
run mvc show model.pkl
run git checkout -q main

git init -q --bare "$work/origin.git"
git remote add origin "$work/origin.git"
run mvc remote add origin "$work/models"
git commit -qm "keep models in a folder"
run git push -q -u origin main

cd "$work"
run git clone -q origin.git clone
cd clone
run mvc install --trust
run mvc pull
run mvc status
cmp model.pkl ../my-project/model.pkl && echo "the clone has the same bytes"
