"""Depth models of every architecture with random weights, a few hundred KB each, saved as a user would have them."""

import json

import numpy as np
import onnx
import torch
import transformers

ARCHITECTURES = ("depth_anything", "depth_pro", "dpt", "zoedepth")
_VIT = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 4, "out_indices": [1, 2, 3, 4]}
_NECK = {"neck_hidden_sizes": [8, 8, 8, 8], "fusion_hidden_size": 8, "reassemble_factors": [4, 2, 1, 0.5]}


def _depth_anything():
    backbone = transformers.Dinov2Config(**_VIT, image_size=56, patch_size=14, reshape_hidden_states=False)
    return transformers.DepthAnythingForDepthEstimation(
        transformers.DepthAnythingConfig(
            backbone_config=backbone, **_NECK, reassemble_hidden_size=16, head_hidden_size=4, patch_size=14
        )
    )


def _dpt():
    return transformers.DPTForDepthEstimation(
        transformers.DPTConfig(
            hidden_size=16,
            num_hidden_layers=4,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=64,
            patch_size=16,
            backbone_out_indices=[0, 1, 2, 3],
            **_NECK,
            is_hybrid=False,
        )
    )


def _zoedepth():
    backbone = transformers.BeitConfig(
        **_VIT,
        intermediate_size=32,
        image_size=64,
        patch_size=16,
        use_relative_position_bias=True,
        reshape_hidden_states=False,
    )
    return transformers.ZoeDepthForDepthEstimation(
        transformers.ZoeDepthConfig(
            backbone_config=backbone,
            **_NECK,
            bottleneck_features=8,
            num_relative_features=4,
            bin_embedding_dim=8,
            num_attractors=[4, 2, 1, 1],
            bin_configurations=[{"n_bins": 8, "min_depth": 0.5, "max_depth": 10.0, "name": "nyu"}],
        )
    )


def _depth_pro():
    vit = {
        "model_type": "dinov2",
        "hidden_size": 16,
        "num_attention_heads": 2,
        "num_hidden_layers": 4,
        "image_size": 32,
        "patch_size": 8,
    }
    return transformers.DepthProForDepthEstimation(
        transformers.DepthProConfig(
            patch_size=32,
            fusion_hidden_size=8,
            intermediate_hook_ids=[1, 0],
            intermediate_feature_dims=[8, 8],
            scaled_images_feature_dims=[16, 16, 8],
            image_model_config=vit,
            patch_model_config=vit,
            fov_model_config=vit,
        )
    )


_MAKE = {"depth_anything": _depth_anything, "depth_pro": _depth_pro, "dpt": _dpt, "zoedepth": _zoedepth}
_SIZE = {"depth_anything": 56, "depth_pro": 128, "dpt": 64, "zoedepth": 64}


def save_tiny(folder, architecture, **preprocessor):
    """Write a model with its preprocessor_config.json into `folder`."""
    torch.manual_seed(5)
    net = _MAKE[architecture]().eval()
    for parameter in net.parameters():  # as initialised, most would answer the same everywhere
        torch.nn.init.normal_(parameter, std=0.2) if parameter.ndim > 1 else None
    net.save_pretrained(folder)
    size = _SIZE[architecture]
    wanted = {"size": {"height": size, "width": size}, **preprocessor}
    (folder / "preprocessor_config.json").write_text(json.dumps(wanted), encoding="utf-8")
    return folder


def tiny_onnx(sides=("height", "width"), *, channels="num_channels", output=("batch", "height", "width"), **metadata):
    """A network with the signature of the public exports: pixel_values in, the mean of red and green out."""
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    weights = onnx.numpy_helper.from_array(np.array([0.5, 0.5, 0], np.float32).reshape(1, 3, 1, 1), "weights")
    axes = onnx.numpy_helper.from_array(np.array([1]), "axes")
    flat = len(output) == 3
    nodes = [helper.make_node("Conv", ["pixel_values", "weights"], ["map" if flat else "predicted_depth"])]
    nodes += [helper.make_node("Squeeze", ["map", "axes"], ["predicted_depth"])] if flat else []
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixel_values", number, ["batch", channels, *sides])],
        [helper.make_tensor_value_info("predicted_depth", number, output)],
        [weights, axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, metadata)
    return model.SerializeToString()


def channels_last(size):
    """A network as exported from TensorFlow: image (1, h, w, 3) in, confidence and the mean of red and green out."""
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    weights = onnx.numpy_helper.from_array(np.array([[0.5], [0.5], [0]], np.float32), "weights")
    nodes = [helper.make_node("MatMul", ["image", "weights"], ["metres"])]
    nodes += [helper.make_node("Sub", ["metres", "metres"], ["confidence"])]
    outputs = [helper.make_tensor_value_info(name, number, [1, *size, 1]) for name in ("confidence", "metres")]
    graph = helper.make_graph(
        nodes, "tiny", [helper.make_tensor_value_info("image", number, [1, *size, 3])], outputs, [weights]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return model.SerializeToString()


def save_tiny_onnx(folder, model_type="depth_anything", **preprocessor):
    """Write the files of an ONNX repository on the hub into `folder`."""
    (folder / "onnx").mkdir(parents=True)
    (folder / "onnx" / "model.onnx").write_bytes(tiny_onnx())
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}), encoding="utf-8")
    wanted = {"size": {"height": 56, "width": 56}, "keep_aspect_ratio": True, "ensure_multiple_of": 14, **preprocessor}
    (folder / "preprocessor_config.json").write_text(json.dumps(wanted), encoding="utf-8")
    return folder
