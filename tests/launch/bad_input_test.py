# SPDX-License-Identifier: Apache-2.0
"""Bad configs, files and command lines: each ends in one line that says what is wrong, with the right exit code.

A row of the table is one input. Checked of each: the message, the exit code, exactly one line from the program (however many
ranks), no output directory, no hang.
"""
import gzip
import os
import struct
import subprocess
import unittest
import zlib
from dataclasses import dataclass, field

from program import MPIEXEC, PROGRAM, RunTest, environment, run

USAGE, DATA, INTERNAL = 2, 65, 1
ALONE_S, MPI_S = 10, 30

VALID = """
[run]
steps = 2
output = "{folder}/output"
[model]
name = "mlp"
hidden = [8]
[data]
format = "synthetic"
size = 64
test_size = 16
height = 8
width = 8
"""


def idx(magic, extents, data):
    return struct.pack(">i", magic) + b"".join(struct.pack(">i", e) for e in extents) + data


IMAGES, LABELS = idx(0x803, [4, 8, 8], bytes(256)), idx(0x801, [4], bytes([0, 1, 2, 3]))


def idx_files(**changed):
    """The four files of an IDX data set in folder `data`; arguments replace them, None leaves one out."""
    files = {"train_images": IMAGES, "train_labels": LABELS, "test_images": IMAGES, "test_labels": LABELS}
    files.update(changed)
    names = {"train_images": "train-images-idx3-ubyte", "train_labels": "train-labels-idx1-ubyte",
             "test_images": "t10k-images-idx3-ubyte", "test_labels": "t10k-labels-idx1-ubyte"}
    return {"data/" + names[key]: data for key, data in files.items() if data is not None}


@dataclass
class Bad:
    name: str
    message: str
    code: int = USAGE
    add: str = ""                                  # appended to VALID (it ends within [data])
    text: object = None                            # the whole config instead, str or bytes
    sets: list = field(default_factory=list)       # --set
    arguments: list = None                         # the whole command line instead
    files: dict = field(default_factory=dict)      # other files in the folder
    fault: str = None                              # MPDIST_FAULT
    ranks: int = None                              # under mpirun


def command_line(name, message, *arguments, **others):
    return Bad(name, message, arguments=list(arguments), **others)


COMMAND_LINES = [
    command_line("nothing", "no config given; expected `mpdist train.toml`"),
    command_line("unknown_option", "--frobnicate", "{config}", "--frobnicate"),
    command_line("misspelt_command", "did you mean the command 'inspect'?", "inspct", "x.h5"),
    command_line("misspelt_command_alone", "did you mean the command 'doctor'?", "doctr"),
    command_line("set_without_value", "--set", "{config}", "--set"),
    command_line("set_without_equals", "--set optimizer.lr: expected table.key=value", "{config}", "--set", "optimizer.lr"),
    command_line("set_without_table", "--set lr=1: expected table.key=value", "{config}", "--set", "lr=1"),
    command_line("set_without_key", "--set =3: expected table.key=value", "{config}", "--set", "=3"),
    command_line("set_empty_key", "--set run.=3: expected table.key=value", "{config}", "--set", "run.=3"),
    command_line("set_unknown_table", "--set optimiser.lr=1: optimiser: unknown table; did you mean 'optimizer'?",
                 "{config}", "--set", "optimiser.lr=1"),
    command_line("set_unknown_key", "optimizer.learning_rate: unknown key; did you mean 'lr'?",
                 "{config}", "--set", "optimizer.learning_rate=1"),
    command_line("set_broken_list", "--set model.hidden=[1,: ", "{config}", "--set", "model.hidden=[1,"),
    command_line("set_two_lines", "optimizer.lr: expected a number", "{config}", "--set", "optimizer.lr=1\n[run]"),
    command_line("two_configs", "not expected", "{config}", "{config}"),
    command_line("check_nothing", "no config given", "check"),
    command_line("check_no_ranks", "--ranks", "check", "{config}", "--ranks", "0"),
    command_line("check_ranks_word", "--ranks", "check", "{config}", "--ranks", "many"),
    command_line("check_ranks_do_not_fit", "3 ranks do not fit batch.shards = 8", "check", "{config}", "--ranks", "3"),
    command_line("study_nothing", "no config given", "precision-study"),
    command_line("study_unknown_setting", "--settings: unknown setting 'fp16-dynamc'; did you mean 'fp16-dynamic'?",
                 "precision-study", "{config}", "--settings", "fp32,fp16-dynamc"),
    command_line("study_setting_twice", "--settings: 'bf16' is named twice", "precision-study", "{config}", "--settings", "bf16,bf16"),
    command_line("study_no_seeds", "--seeds", "precision-study", "{config}", "--seeds", "0"),
    command_line("study_scale", "--constant-scale: expected a power of two in (0, 2^60], found 1000",
                 "precision-study", "{config}", "--constant-scale", "1000"),
    command_line("study_own_key", "--set precision.compute=bf16: the study sets this key itself",
                 "precision-study", "{config}", "--set", "precision.compute=bf16"),
    command_line("study_resume", "a study has many runs, each of which goes on from its own checkpoint",
                 "precision-study", "{config}", "--set", "checkpoint.resume=never"),
    command_line("study_wire", "comm.wire = \"fp32\": a study compares types of computation",
                 "precision-study", "{config}", "--set", "comm.wire=fp32"),
    command_line("config_unknown", "unknown table or key 'optimizr'; did you mean 'optimizer'?", "config", "optimizr"),
    command_line("inspect_nothing", "checkpoint is required", "inspect"),
    command_line("inspect_no_file", "no such file; expected a checkpoint", "inspect", "{folder}/none.h5"),
    command_line("inspect_empty_folder", "holds no checkpoint", "inspect", "{folder}"),
    command_line("inspect_text", "not a checkpoint", "inspect", "{folder}/a.h5", code=DATA,
                 files={"a.h5": b"not what you think" * 100}),
    command_line("inspect_empty_file", "cut off", "inspect", "{folder}/a.h5", code=DATA, files={"a.h5": b""}),
    command_line("convert_nothing", "--from is required", "convert"),
    command_line("convert_from", "png not in {{idx,", "convert", "--from", "png", "--to", "hdf5", "--output", "{folder}/o"),
    command_line("convert_to", "--to", "convert", "--from", "idx", "--to", "cifar10", "--output", "{folder}/o"),
    command_line("convert_key", "--set optimizer.lr=1: expected a key of [data]", "convert", "--from", "synthetic", "--to", "hdf5",
                 "--output", "{folder}/o", "--set", "optimizer.lr=1"),
    command_line("convert_unknown_key", "data.sizes: unknown key; did you mean 'size'?", "convert", "--from", "synthetic", "--to",
                 "hdf5", "--output", "{folder}/o", "--set", "data.sizes=1"),
    command_line("convert_no_source", "expected a folder, found no folder", "convert", "--from", "idx", "--path", "{folder}/none",
                 "--to", "hdf5", "--output", "{folder}/o"),
    command_line("convert_no_folder", "expected a path in a folder that exists", "convert", "--from", "synthetic", "--to", "hdf5",
                 "--output", "{folder}/none/o"),
    command_line("convert_exists", "add --force to replace it", "convert", "--from", "synthetic", "--to", "hdf5", "--output",
                 "{folder}/a.h5", files={"a.h5": b"x"}),
    command_line("convert_level", "--deflate", "convert", "--from", "synthetic", "--to", "hdf5", "--output", "{folder}/o",
                 "--deflate", "10"),
    command_line("convert_chunks_of_idx", "belong to --to hdf5 alone", "convert", "--from", "synthetic", "--to", "idx", "--output",
                 "{folder}/o", "--chunk", "8", "--type", "uint8"),
    command_line("diff_one_file", "second is required", "diff", "a.h5"),
    command_line("diff_text", "not a checkpoint", "diff", "{folder}/a.h5", "{folder}/a.h5", code=DATA,
                 files={"a.h5": b"x" * 1000}),
    command_line("evaluate_nothing", "checkpoint is required", "evaluate"),
    command_line("evaluate_no_file", "no such file", "evaluate", "{folder}/none.h5"),
    command_line("evaluate_text", "not a checkpoint", "evaluate", "{folder}/a.h5", code=DATA, files={"a.h5": b"x" * 1000}),
    command_line("no_such_config", "cannot read the config: No such file", "{folder}/none.toml"),
    command_line("config_is_a_folder", "expected a config file, found a directory", "{folder}"),
]

TEXTS = [
    Bad("empty_file", "model.name: missing; it has no default (known: mlp, cnn, resnet, vgg, sequential)", text=""),
    Bad("binary_file", "a binary file", text=b"\x89HDF\r\n\x00\x00"),
    Bad("huge_file", "larger than 1 MiB", text="# " + "x" * (1 << 20)),
    Bad("not_utf8", "config.toml:2:", text=b"[run]\nname = \"\xff\xfe\"\n"),
    Bad("syntax", "config.toml:1:", text="[run\nsteps = 1"),
    Bad("no_value", "config.toml:2:", text="[run]\nsteps ="),
    Bad("key_twice", "config.toml:3:", text="[run]\nsteps = 1\nsteps = 2"),
    Bad("table_twice", "config.toml:3:", text="[run]\nsteps = 1\n[run]\nseed = 2"),
    Bad("deep_nesting", "config.toml:", text="x = " + "[" * 5000),
    Bad("unknown_table", "config.toml:1:2: optimiser: unknown table; did you mean 'optimizer'?", text="[optimiser]\nlr = 1"),
    Bad("key_outside", "lr: stands outside any table; it belongs below [optimizer]", text="lr = 1"),
    Bad("table_is_a_value", "run: expected a table", text="run = 3"),
    Bad("table_is_a_list", "run: expected a table", text="[[run]]\nsteps = 1"),
    Bad("unknown_key", "config.toml:15:1: optimizer.momentun: unknown key; did you mean 'momentum'?",
        add="[optimizer]\nmomentun = 0.5"),
    Bad("subtable", "run.more: unknown key", add="[run.more]\nx = 1"),
    Bad("no_model", "model.name: missing", text="[run]\nsteps = 1\n[data]\nformat = \"synthetic\""),
    Bad("no_format", "data.format: missing; it has no default (known: idx, ",
        text="[run]\nsteps = 1\n[model]\nname = \"mlp\""),
]

VALUES = [
    Bad("string_for_integer", "config.toml:15:10: batch.global: expected an integer, found the string '64'",
        add="[batch]\nglobal = \"64\""),
    Bad("fraction_for_integer", "run.seed: expected an integer, found 1.5", sets=["run.seed=1.5"]),
    Bad("boolean_for_number", "optimizer.lr: expected a number, found true", sets=["optimizer.lr=true"]),
    Bad("number_for_boolean", "run.branch: expected true or false, found 1", sets=["run.branch=1"]),
    Bad("integer_for_string", "precision.compute: expected a string, found 16", add="[precision]\ncompute = 16"),
    Bad("string_for_list", "model.hidden: expected a list, found 8", sets=["model.hidden=8"]),
    Bad("list_element", "model.hidden: expected an integer, found the string 'a'", sets=["model.hidden=[8, \"a\"]"]),
    Bad("list_element_range", "model.hidden: expected a value in [1, 1048576], found 0", sets=["model.hidden=[8, 0]"]),
    Bad("list_element_huge", "model.hidden: expected a value in [1, 1048576], found 9223372036854775807",
        sets=["model.hidden=[9223372036854775807]"]),
    Bad("table_for_value", "optimizer.lr: expected a number, found a table", sets=["optimizer.lr={a = 1}"]),
    Bad("negative_lr", "optimizer.lr: expected a value >= 0, found -1", sets=["optimizer.lr=-1"]),
    Bad("number_beyond_doubles", "optimizer.momentum: expected a value in [0,", sets=["optimizer.momentum=9007199254740993"]),
    Bad("negative_seed", "run.seed: expected a value >= 0, found -1", sets=["run.seed=-1"]),
    Bad("no_shards", "batch.shards: expected a value in [1, 65536], found 0", sets=["batch.shards=0"]),
    Bad("no_batch", "batch.global: expected a value in [1,", sets=["batch.global=0"]),
    Bad("no_threads", "run.threads_per_rank: expected a value in [1, 1024], found 0", sets=["run.threads_per_rank=0"]),
    Bad("dropout_of_all", "model.dropout: expected a value in [0,", sets=["model.dropout=1"]),
    Bad("smoothing_of_all", "model.label_smoothing: expected a value in [0, 1), found 1", sets=["model.label_smoothing=1"]),
    Bad("std_zero", "data.std: expected a value > 0, found 0", sets=["data.std=[0]"]),
    Bad("not_a_number", "optimizer.lr: expected a finite number, found nan", sets=["optimizer.lr=nan"]),
    Bad("infinite", "optimizer.lr: expected a finite number, found inf", sets=["optimizer.lr=inf"]),
    Bad("integer_overflow", "config.toml:15:", add="[batch]\nglobal = 99999999999999999999"),
    Bad("unknown_type", "expected one of 'fp16', 'bf16', 'fp32', found 'fp64'", sets=["precision.compute=fp64"]),
    Bad("unknown_device", "run.device: expected one of 'auto', 'cpu', 'cuda', found 'tpu'", sets=["run.device=tpu"]),
    Bad("no_gpu", 'run.device = "cuda": ', sets=["run.device=cuda"]),
    Bad("no_gpu_on_two_ranks", 'set run.device = "cpu" or "auto"', sets=["run.device=cuda"], ranks=2),
    Bad("unknown_reduction", "found 'ring'", sets=["comm.reduction=ring"]),
    Bad("unknown_wire", "comm.wire: expected one of", sets=["comm.wire=int8"]),
    Bad("unknown_augmentation", "data.augment: expected one of 'crop', 'flip', found 'rotate'", sets=["data.augment=[\"rotate\"]"]),
    Bad("unknown_model", "model.name: expected one of 'mlp', 'cnn', 'resnet', 'vgg', 'sequential', found 'resnext'", sets=["model.name=resnext"]),
    Bad("unknown_optimizer", "found 'adamx'; did you mean 'adamw'?", sets=["optimizer.name=adamx"]),
    Bad("unknown_schedule", "found 'cosin'; did you mean 'cosine'?", sets=["schedule.name=cosin"]),
    Bad("unknown_format", "'images', 'synthetic', found 'png'", sets=["data.format=png"]),
    Bad("key_of_another_model", "model.channels: unknown key (known: name,", sets=["model.channels=[8]"]),
    Bad("key_of_another_type_there", "model.hidden: expected an integer, found a list", sets=["model.name=cnn"]),
    Bad("both_lengths", "expected one of run.epochs and run.steps, found both", sets=["run.epochs=1", "run.steps=1"]),
    Bad("no_length", "expected one of run.epochs and run.steps above 0", sets=["run.steps=0"]),
    Bad("batch_not_divisible", "expected a multiple of batch.shards = 8, found 100; the nearest are 96 and 104",
        sets=["batch.global=100"]),
    Bad("scale_no_power", "precision.loss_scale: expected a value in (0,", sets=["precision.loss_scale=1000"]),
    Bad("growth_no_power", "a power of two, found 3", sets=["precision.scale_growth=3"]),
    Bad("floor_above_initial", "precision.scale_floor: expected at most scale_initial = 65536",
        sets=["precision.scale_floor=131072"]),
    Bad("ceiling_below_initial", "precision.scale_ceiling: expected at least scale_initial", sets=["precision.scale_ceiling=2"]),
    Bad("scale_of_fp32", "compute = \"fp32\" runs at scale 1", sets=["precision.compute=fp32", "precision.loss_scale=2"]),
    Bad("betas_one", "optimizer.betas: expected 2 values, found 1", sets=["optimizer.name=adamw", "optimizer.betas=[0.9]"]),
    Bad("betas_range", "optimizer.betas: expected a value in [0, 1), found 1", sets=["optimizer.name=adamw", "optimizer.betas=[0.9, 1]"]),
    Bad("lion_betas", "optimizer.betas: expected a value in [0, 1), found 1", sets=["optimizer.name=lion", "optimizer.betas=[1, 0.9]"]),
    Bad("rmsprop_eps", "optimizer.eps: expected a value > 0, found 0", sets=["optimizer.name=rmsprop", "optimizer.eps=0"]),
    Bad("lion_beta_rounds_to_one", "optimizer.betas: expected two numbers in [0, 1) as FP32, found [0.9, 0.99999999]",
        sets=["optimizer.name=lion", "optimizer.betas=[0.9, 0.99999999]"]),
    Bad("rmsprop_alpha_rounds_to_one", "optimizer.alpha: expected a number in [0, 1) as FP32, found 0.99999999",
        sets=["optimizer.name=rmsprop", "optimizer.alpha=0.99999999"]),
    Bad("ema_decay_rounds_to_one", "optimizer.ema_decay: expected a number in [0, 1) as FP32, found 0.99999999",
        sets=["optimizer.ema_decay=0.99999999"]),
    Bad("adamw_eps_rounds_to_zero", "optimizer.eps: expected a finite number above 0 as FP32, found 1e-46",
        sets=["optimizer.name=adamw", "optimizer.eps=1e-46"]),
    Bad("lamb_eps_rounds_to_zero", "optimizer.eps: expected a finite number above 0 as FP32, found 1e-46",
        sets=["optimizer.name=lamb", "optimizer.eps=1e-46"]),
    Bad("lars_trust", "optimizer.trust: expected a value > 0, found 0", sets=["optimizer.name=lars", "optimizer.trust=0"]),
    Bad("mean_and_std", "data.std: expected as many values as data.mean has, 2; found 1", sets=["data.mean=[1, 2]"]),
    Bad("group_without_pattern", "config.toml:14:1: optimizer.groups[0].pattern: missing", add="[[optimizer.groups]]\nlr_scale = 1"),
    Bad("group_unknown_key", "config.toml:16:1: optimizer.groups[0].lr: unknown key (known: pattern, lr_scale, weight_decay)",
        add="[[optimizer.groups]]\npattern = \"*\"\nlr = 1"),
    Bad("group_single_brackets", "optimizer.groups: expected a list of tables, each below [[optimizer.groups]], found a table",
        add="[optimizer.groups]\npattern = \"*\""),
    Bad("group_value", "--set optimizer.groups=[{pattern = \"*\", lr_scale = -1}]: optimizer.groups[0].lr_scale: expected a value >= 0",
        sets=["optimizer.groups=[{pattern = \"*\", lr_scale = -1}]"]),
    Bad("group_half_a_bracket", "optimizer.groups[", sets=["optimizer.groups[=1"]),
    Bad("group_no_number", "optimizer.groups[]", sets=["optimizer.groups[].lr_scale=1"]),
    Bad("group_that_is_not_there", "the config has no optimizer.groups[0]", sets=["optimizer.groups[0].lr_scale=1"]),
    Bad("name_is_a_path", "without '/'", sets=["run.name=../x"]),
    Bad("unknown_placeholder", "no placeholder but {{name}}", sets=["run.output={folder}/{{date}}"]),
]



def layers(text):
    """A config with this network in one line."""
    return VALID.replace('"mlp"', '"sequential"').replace("hidden = [8]", f"layers = [{text}]")


RESNET = VALID.replace('"mlp"\nhidden = [8]', '"resnet"')

RESNET_ROWS = [
    Bad("resnet_depth", "model.depth = 21: residual networks of this kind have depth 20, 32, 44, 56, 110", sets=["model.depth=21"]),
    Bad("resnet_shallow", "model.depth: expected a value >= 18, found 8", sets=["model.depth=8"]),
    Bad("resnet_width", "model.width: expected a value in [1, 65536], found 0", sets=["model.width=0"]),
    Bad("resnet_dropout", "model.dropout: expected a value in [0, 0.99], found 1", sets=["model.dropout=1"]),
    Bad("resnet_momentum_zero", "model.norm_momentum: expected a value in (0, 1], found 0", sets=["model.norm_momentum=0"]),
    Bad("resnet_momentum_large", "model.norm_momentum: expected a value in (0, 1], found 1.5", sets=["model.norm_momentum=1.5"]),
    Bad("resnet_misspelt_key", "model.norm_momentun: unknown key; did you mean 'norm_momentum'?", sets=["model.norm_momentun=0.1"]),
    Bad("resnet_oblong", "model resnet needs square images, found 8x9", sets=["data.width=9"]),
    Bad("resnet_fault_tensor", "MPDIST_FAULT", fault="overflow:step=1:rank=0:tensor=stage4.block1.conv1.weight"),
    Bad("resnet_fault_layer", "MPDIST_FAULT", fault="nan-activation:step=1:rank=0:layer=stage1.block4.conv1"),
    Bad("mpi_resnet_depth", "model.depth = 21: residual networks", sets=["model.depth=21"], ranks=8),
]
for row in RESNET_ROWS:
    row.text = RESNET

DATA_ROWS = [
    Bad("mean_of_three_channels", "channel", sets=["data.mean=[1, 2, 3]", "data.std=[1, 2, 3]"]),
    Bad("too_many_stages", "model.channels: 4 stages halve a 8x8 image to nothing; at most 3 fit",
        text=VALID.replace('"mlp"', '"cnn"').replace("hidden = [8]", "channels = [4, 4, 4, 4]")),
    Bad("group_matches_nothing", "optimizer.groups[0].pattern: 'fc9.*' matches no parameter, did you mean 'fc1.*'?",
        sets=["optimizer.groups=[{pattern = \"fc9.*\"}]"]),
    Bad("group_comes_too_late", "optimizer.groups[1].pattern: every parameter that '*.bias' matches is frozen or belongs to an earlier group",
        sets=["optimizer.groups=[{pattern = \"*\"}, {pattern = \"*.bias\"}]"]),
    Bad("vgg_huge_width", "model.width: expected a value in [1, 65536], found 4611686018427387904",
        text=VALID.replace('"mlp"', '"vgg"').replace("hidden = [8]", "width = 4611686018427387904")),
    Bad("vgg_huge_hidden", "model.hidden: expected a value in [1, 1048576], found 4611686018427387904",
        text=VALID.replace('"mlp"', '"vgg"').replace("hidden = [8]", "hidden = 4611686018427387904")),
    Bad("vgg_hidden_unused", "model.hidden = 8: the single classifier has no hidden layers",
        text=VALID.replace('"mlp"', '"vgg"').replace("hidden = [8]", "hidden = 8")),
    Bad("vgg_depth", "model.depth = 12: VGG networks have depth 11, 13, 16 or 19",
        text=VALID.replace('"mlp"', '"vgg"').replace("hidden = [8]", "depth = 12")),
    Bad("no_layers", "model.layers: the network leaves [8, 8, 1] of an image [8, 8, 1], expected [10], a value per class",
        text=VALID.replace('"mlp"', '"sequential"').replace("hidden = [8]", "")),
    Bad("layer_huge_channels", "model.layers[0].channels: expected a value in [1, 65536], found",
        text=layers('{type = "conv", channels = 4611686018427387904}')),
    Bad("layer_huge_kernel", "model.layers[0].kernel: expected a value in [1, 1024], found",
        text=layers('{type = "conv", channels = 1, kernel = 4611686018427387904}')),
    Bad("layer_huge_stride", "model.layers[0].stride: expected a value in [1, 1024], found",
        text=layers('{type = "conv", channels = 1, stride = 4611686018427387904}')),
    Bad("layer_huge_padding", "model.layers[0].padding: expected a value in [0, 1024], or 'same', found 4611686018427387904",
        text=layers('{type = "conv", channels = 1, padding = 4611686018427387904}')),
    Bad("layer_huge_units", "model.layers[0].units: expected a value in [0, 1048576], found",
        text=layers('{type = "linear", units = 4611686018427387904}')),
    Bad("layer_huge_window", "model.layers[0].window: expected a value in [1, 1024], found",
        text=layers('{type = "max_pool", window = 4611686018427387904}')),
    Bad("layer_takes_the_shortcuts_name", "model.layers[0] (residual1.shortcut): another layer has this name",
        text=layers('{type = "residual", layers = [{type = "conv", channels = 4, name = "shortcut"}]}')),
    Bad("layer_takes_the_norms_name", "model.layers[1] (conv1.norm): another layer has this name",
        text=layers('{type = "conv", channels = 4, norm = true}, {type = "batch_norm", name = "conv1.norm"}')),
    Bad("layer_kind", "model.layers[0].type: expected one of 'conv',", text=layers('{type = "cnv", channels = 4}')),
    Bad("layer_key", "config.toml:7:27: model.layers[0].chanels: unknown key; did you mean 'channels'?",
        text=layers('{type = "conv", chanels = 4}')),
    Bad("layer_override", "--set model.layers[1].type=cnv: model.layers[1].type: expected one of",
        text=layers('{type = "flatten"}, {type = "linear"}'), sets=["model.layers[1].type=cnv"]),
    Bad("layer_does_not_fit", "config.toml:7:32: model.layers[1] (conv1): kernel 5 with padding 0 does not fit a 4x4 input",
        text=layers('{type = "max_pool"}, {type = "conv", channels = 4, kernel = 5, padding = 0}')),
    Bad("freeze_matches_nothing", "model.freeze: 'fc1.wieght' matches no parameter, did you mean 'fc1.weight'?",
        sets=["model.freeze=[\"fc1.wieght\"]"]),
    Bad("freeze_everything", "model.freeze: every parameter of the model is frozen", sets=["model.freeze=[\"*\"]"]),
    Bad("group_of_frozen", "every parameter that 'fc1.*' matches is frozen", sets=["model.freeze=[\"fc1.*\"]",
                                                                                "optimizer.groups=[{pattern = \"fc1.*\"}]"]),
    Bad("fault_of_frozen", "MPDIST_FAULT: tensor fc1.weight is frozen", sets=["model.freeze=[\"fc1.*\"]"],
        fault="overflow:step=1:rank=0:tensor=fc1.weight"),
    Bad("lars_decoupled", "optimizer.decay: expected \"coupled\" with name = \"lars\"", sets=["optimizer.name=lars", "optimizer.weight_decay=0.1"]),
    Bad("model_beyond_memory", "memory", code=INTERNAL, sets=["model.hidden=[1048576, 1048576]"]),
    Bad("init_no_file", "model.init = \"{folder}/none.h5\": expected a checkpoint (step_*.h5), found no such file",
        sets=["model.init={folder}/none.h5"]),
    Bad("init_text", "not a checkpoint", code=DATA, sets=["model.init={folder}/a.h5"], files={"a.h5": b"x" * 1000}),
    Bad("init_skip_alone", "model.init_skip: expected model.init beside it", sets=["model.init_skip=[\"fc*\"]"]),
    Bad("fault_kind", "MPDIST_FAULT", fault="overflw:step=1:rank=0:tensor=fc1.weight"),
    Bad("fault_tensor", "MPDIST_FAULT", fault="overflow:step=1:rank=0:tensor=fc9.weight"),
    Bad("fault_rank", "MPDIST_FAULT", fault="drop-gradient:step=1:rank=5"),
    Bad("fault_number", "MPDIST_FAULT", fault="drop-gradient:step=one:rank=0"),
    Bad("resume_no_file", "checkpoint.resume = ", sets=["checkpoint.resume={folder}/none.h5"]),
    Bad("resume_text", "not a checkpoint", code=DATA, sets=["checkpoint.resume={folder}/a.h5"], files={"a.h5": b"x" * 1000}),
    Bad("output_below_a_file", "a.h5", sets=["run.output={folder}/a.h5/run"], files={"a.h5": b"x"}),
]

IDX_ROWS = [
    Bad("idx_no_folder", "data", files={}),
    Bad("idx_no_labels", "train-labels-idx1-ubyte", files=idx_files(train_labels=None)),
    Bad("idx_magic", "train-images-idx3-ubyte", code=DATA, files=idx_files(train_images=b"\0\0\x08\x07" + IMAGES[4:])),
    Bad("idx_cut_off", "train-images-idx3-ubyte", code=DATA, files=idx_files(train_images=IMAGES[:-9])),
    Bad("idx_too_long", "train-images-idx3-ubyte", code=DATA, files=idx_files(train_images=IMAGES + b"x")),
    Bad("idx_empty_file", "train-images-idx3-ubyte", code=DATA, files=idx_files(train_images=b"")),
    Bad("idx_negative_extent", "train-images-idx3-ubyte", code=DATA, files=idx_files(train_images=idx(0x803, [-4, 8, 8], b""))),
    Bad("idx_huge_extent", "train-images-idx3-ubyte", code=DATA,
        files=idx_files(train_images=idx(0x803, [2**31 - 1, 2**31 - 1, 2**31 - 1], b""))),
    Bad("idx_fewer_labels", "4", code=DATA, files=idx_files(train_labels=idx(0x801, [3], b"\0\1\2"))),
    Bad("idx_gzip_damaged", ".gz", code=DATA,
        files={**idx_files(train_images=None), "data/train-images-idx3-ubyte.gz": gzip.compress(IMAGES)[:-12] + b"x" * 12}),
    Bad("idx_gzip_cut_off", ".gz", code=DATA,
        files={**idx_files(train_images=None), "data/train-images-idx3-ubyte.gz": gzip.compress(IMAGES)[:20]}),
]
for row in IDX_ROWS:
    row.text = VALID[:VALID.index("[data]")] + '[data]\nformat = "idx"\npath = "{folder}/data"\n[batch]\nglobal = 8\n'

def on_data(rows, data):
    """The rows get a config with this [data] table."""
    for bad in rows:
        bad.text = VALID[:VALID.index("[data]")] + f'[data]\n{data}\n[batch]\nglobal = 8\n' + bad.add
    return rows


def cifar(**changed):
    files = {f"data_batch_{i}": b"\1" + bytes(3072) for i in range(1, 6)}
    files["test_batch"] = b"\1" + bytes(3072)
    files.update(changed)
    return {f"data/{name}.bin": data for name, data in files.items() if data is not None}


CIFAR_ROWS = on_data([
    Bad("cifar10_no_folder", "expected a folder, found no folder"),
    Bad("cifar10_no_batch", "expected data_batch_4.bin", files=cifar(data_batch_4=None)),
    Bad("cifar10_label", "data_batch_2.bin: record 0, label: expected 0 to 9, found 10", code=DATA,
        files=cifar(data_batch_2=b"\x0a" + bytes(3072))),
    Bad("cifar10_cut_off", "data_batch_5.bin: record 0: expected 1 records of 3073 bytes, found 0 and 3072 bytes", code=DATA,
        files=cifar(data_batch_5=bytes(3072)), ranks=8),
    Bad("cifar10_too_long", "test_batch.bin: length", code=DATA, files=cifar(test_batch=bytes(3074))),
], 'format = "cifar10"\npath = "{folder}/data"\nrecords = 1')

HDF5_ROWS = on_data([
    Bad("hdf5_no_file", "expected an HDF5 file, found no file"),
    Bad("hdf5_text", "a.h5: file: expected a whole HDF5 file, found damage", code=DATA, files={"a.h5": b"x" * 4000}, ranks=8),
    Bad("hdf5_cut_off", "a.h5: file: expected a whole HDF5 file, found damage", code=DATA,
        files={"a.h5": b"\x89HDF\r\n\x1a\n" + bytes(40)}),
    Bad("hdf5_chunks", "data.mixed_chunks: expected a value in [1, 65536], found 0", sets=["data.mixed_chunks=0"]),
], 'format = "hdf5"\npath = "{folder}/a.h5"')


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# One grey pixel.
PNG = (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
       + png_chunk(b"IDAT", zlib.compress(b"\0\x80")) + png_chunk(b"IEND", b""))


def folders(**changed):
    files = {"train/a/1.png": PNG, "train/b/1.png": PNG, "test/a/1.png": PNG, "test/b/1.png": PNG}
    files.update({name.replace("__", "/") + ".png": data for name, data in changed.items()})
    return {"data/" + name: data for name, data in files.items() if data is not None}


IMAGE_ROWS = on_data([
    Bad("images_no_folder", 'expected a folder "train" with a folder for each class, found none'),
    Bad("images_no_classes", "data/train: expected a folder for each class", files={"data/train/1.png": PNG, "data/test/a/1.png": PNG}),
    Bad("images_other_classes", 'data/test: classes: expected those of training, found no folder "b"', code=DATA,
        files=folders(test__b__1=None), ranks=8),
    Bad("images_cut_off", "data/train/b/2.png: PNG data: expected a whole image", code=DATA,
        files=folders(train__b__2=PNG[:-20]), ranks=8),
    Bad("images_text", "data/test/a/x.png: first bytes: expected a JPEG or PNG image", code=DATA, files=folders(test__a__x=b"text")),
    Bad("images_two_channels", "data.channels: expected 1 (grey) or 3 (colour), found 2", sets=["data.channels=2"], files=folders()),
    Bad("images_resize", "data.resize: expected 0 or at least data.size = 32, found 8", sets=["data.resize=8"], files=folders()),
], 'format = "images"\npath = "{folder}/data"')

RANK_ROWS = [
    command_line("mpi_nothing", "no config given", ranks=8),
    command_line("mpi_unknown_option", "--frobnicate", "--frobnicate", ranks=8),
    command_line("mpi_no_such_config", "cannot read the config", "{folder}/none.toml", ranks=8),
    command_line("mpi_study_unknown_setting", "--settings: unknown setting 'fp17'", "precision-study", "{config}",
                 "--settings", "fp17", ranks=8),
    command_line("mpi_inspect_no_file", "no such file", "inspect", "{folder}/none.h5", ranks=2),
    Bad("mpi_syntax", "config.toml:1:", text="[run\n", ranks=2),
    Bad("mpi_unknown_key", "unknown key; did you mean 'lr'?", add="[optimizer]\nlearning_rate = 1", ranks=8),
    Bad("mpi_layer_does_not_fit", "model.layers[0] (residual1): no 1x1 convolution makes",
        text=layers('{type = "residual", layers = [{type = "conv", channels = 2, padding = 0}]}'), ranks=8),
    Bad("mpi_init_no_file", "model.init = \"none.h5\": expected a checkpoint", sets=["model.init=none.h5"], ranks=8),
    Bad("mpi_bad_override", "--set optimizer.lr=x: optimizer.lr: expected a number", sets=["optimizer.lr=x"], ranks=2),
    Bad("mpi_ranks_do_not_fit", "3 ranks do not fit batch.shards = 8: start with 1, 2, 4, 8 ranks", ranks=3),
    Bad("mpi_fault", "MPDIST_FAULT", fault="overflow:step=1:rank=8:tensor=fc1.weight", ranks=8),
    Bad("mpi_no_data", "data", text=IDX_ROWS[0].text, ranks=8),
    Bad("mpi_group", "optimizer.groups[0].pattern: 'x' matches no parameter", sets=["optimizer.groups=[{pattern = \"x\"}]"], ranks=8),
    Bad("mpi_resume_no_file", "checkpoint.resume = ", sets=["checkpoint.resume={folder}/none.h5"], ranks=2),
]


class BadInput(RunTest):
    def write(self, name, content):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    def filled(self, text):
        return text.replace("{folder}", self.folder).replace("{config}", self.path("config.toml")).replace("{{", "{").replace("}}", "}")

    def check(self, bad):
        text = VALID + bad.add if bad.text is None else bad.text
        self.write("config.toml", text if isinstance(text, bytes) else self.filled(text).encode())
        for name, content in bad.files.items():
            self.write(name, content)
        arguments = [self.filled(a) for a in (["{config}"] if bad.arguments is None else bad.arguments)]
        for setting in bad.sets:
            arguments += ["--set", self.filled(setting)]
        env = {"CUDA_VISIBLE_DEVICES": ""} | ({"MPDIST_FAULT": bad.fault} if bad.fault else {})
        done = run(arguments, bad.ranks, env, timeout=MPI_S if bad.ranks else ALONE_S)
        self.assertEqual(done.code, bad.code, done.err)
        self.assertEqual(len(done.lines()), 1, done.err)
        self.assertIn(self.filled(bad.message), done.lines()[0])
        if bad.ranks is None:
            self.assertEqual(len(done.err.splitlines()), 1, done.err)
        self.assertEqual(done.out.strip(), "")
        for name in ("output", "output_study"):
            self.assertFalse(os.path.exists(self.path(name)), "an output directory was left behind")


class FoundInTheFirstStep(RunTest):
    def test_a_shard_with_one_value_per_channel_is_refused_in_one_line(self):
        """Only the forward pass knows what reaches a norm: the run has begun, and every rank finds it."""
        config = self.path("config.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(RESNET.replace("{folder}", self.folder))
        done = run([config, "--set", "model.depth=18", "--set", "batch.global=8"], 4, timeout=MPI_S)
        self.assertEqual(done.code, USAGE, done.err)
        line, = [line for line in done.lines() if "batch norm" in line]
        self.assertIn("a shard has one value per channel", line)
        self.assertIn("lower batch.shards, or raise batch.global or the image size", line)
        self.assertIn("batch norm", done.lines()[-1])


class RanksDiffer(RunTest):
    def test_the_key_that_differs_is_named_with_its_values(self):
        config, script = self.path("config.toml"), self.path("rank.sh")
        with open(config, "w", encoding="utf-8") as file:
            file.write(VALID.replace("{folder}", self.folder))
        with open(script, "w", encoding="utf-8") as file:
            file.write(f'exec "{os.path.abspath(PROGRAM)}" "{config}" --set optimizer.lr=0.$((${{OMPI_COMM_WORLD_RANK:-$PMI_RANK}} + 1))')
        done = subprocess.run([MPIEXEC, "-n", "2", "sh", script], env=environment(), capture_output=True, text=True,
                              timeout=MPI_S, check=False)
        lines = [line for line in done.stderr.splitlines() if line.startswith("mpdist:")]
        self.assertEqual(done.returncode, USAGE, done.stderr)
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertRegex(lines[0], r"optimizer\.lr.*0\.1.*rank 0.*0\.2.*rank 1")
        self.assertFalse(os.path.exists(self.path("output")))


def add_rows():
    for bad in COMMAND_LINES + TEXTS + VALUES + RESNET_ROWS + DATA_ROWS + IDX_ROWS + CIFAR_ROWS + HDF5_ROWS + IMAGE_ROWS + RANK_ROWS:
        name = "test_" + bad.name
        assert not hasattr(BadInput, name), name
        setattr(BadInput, name, lambda self, bad=bad: self.check(bad))


add_rows()

if __name__ == "__main__":
    unittest.main()
